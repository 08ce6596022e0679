// Command image puts static binaries into an OCI image for several architectures, without a container engine. The same input gives
// the same bytes: files have one time, and nothing is asked of a registry.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string, to io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	out := flags.String("out", "", "folder for the image, an OCI layout")
	about := facts{}
	flags.StringVar(&about.version, "version", "", "version, the tag of the image")
	flags.StringVar(&about.revision, "revision", "", "commit that the binaries were built from")
	flags.StringVar(&about.title, "title", "parley", "name of the program and the image: parley or parley-export")
	created := flags.Int64("created", 0, "time of the commit, in seconds since 1970")
	var programs []program
	flags.Func("program", "ARCHITECTURE=BINARY=SBOM; once for each architecture", func(value string) error {
		parts := strings.Split(value, "=")
		if len(parts) != 3 {
			return errors.New("is not ARCHITECTURE=BINARY=SBOM")
		}
		programs = append(programs, program{architecture: parts[0], binary: parts[1], sbom: parts[2]})
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if _, ok := kinds[about.title]; !ok {
		return fmt.Errorf("-title %q is none of parley, parley-export", about.title)
	}
	if *out == "" || about.version == "" || len(programs) == 0 {
		return errors.New("-out, -version and -program are needed")
	}
	about.created = time.Unix(*created, 0).UTC()
	index, err := assemble(about, programs)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(*out); err != nil {
		return err
	}
	digest, err := write(*out, about.version, index)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(to, digest)
	return err
}

// write writes an image as the only one of an OCI layout, under the version as its tag, and returns its digest.
func write(folder, version string, index v1.ImageIndex) (string, error) {
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return "", err
	}
	err = path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version}))
	if err != nil {
		return "", err
	}
	digest, err := index.Digest()
	return digest.String(), err
}
