package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestAssemble holds that the same input gives the same valid image, that its labels and user are as said, and that another commit
// gives another image.
func TestAssemble(t *testing.T) {
	t.Parallel()
	programs := []program{written(t, "amd64"), written(t, "arm64")}
	about := facts{title: "parley", version: "v1.2.3", revision: "0123456789abcdef", created: time.Unix(1_800_000_000, 0).UTC()}
	index, digest := layOut(t, about, programs)
	if _, again := layOut(t, about, programs); again != digest {
		t.Errorf("digests %s and %s of the same input", digest, again)
	}
	about.title = "parley-export"
	if _, other := layOut(t, about, programs); other == digest {
		t.Errorf("the digest %s of two programs", digest)
	}
	about.title = "parley"
	about.revision = "fedcba9876543210"
	if _, other := layOut(t, about, programs); other == digest {
		t.Errorf("the digest %s of two commits", digest)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 4 {
		t.Fatalf("%d manifests, want an image and an attestation for each architecture", len(manifest.Manifests))
	}
	for i, each := range programs {
		img, err := index.Image(manifest.Manifests[i].Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkImage(t, img, each.architecture)
		if subject := manifest.Manifests[i+2].Annotations["vnd.docker.reference.digest"]; subject != manifest.Manifests[i].Digest.String() {
			t.Errorf("%s: attestation of %s", each.architecture, subject)
		}
	}
}

func checkImage(t *testing.T, img v1.Image, architecture string) {
	t.Helper()
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != architecture || config.Config.User != "65532:65532" ||
		config.Config.Labels["org.opencontainers.image.version"] != "v1.2.3" {
		t.Errorf("%s: configuration %+v", architecture, config)
	}
	files := mutate.Extract(img)
	defer files.Close()
	if size, err := io.Copy(io.Discard, files); err != nil || size < 100_000 {
		t.Errorf("%s: %d bytes of files, %v", architecture, size, err)
	}
}

// written has a binary and a bill of materials, in files.
func written(t *testing.T, architecture string) program {
	t.Helper()
	made := program{architecture: architecture, binary: filepath.Join(t.TempDir(), "parley"), sbom: filepath.Join(t.TempDir(), "sbom")}
	for path, text := range map[string]string{made.binary: "binary for " + architecture, made.sbom: `{"bomFormat":"CycloneDX"}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return made
}

// layOut writes an image and reads it back.
func layOut(t *testing.T, about facts, programs []program) (v1.ImageIndex, string) {
	t.Helper()
	folder := t.TempDir()
	made, err := assemble(about, programs)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := write(folder, about.version, made)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := v1.NewHash(digest)
	if err != nil {
		t.Fatal(err)
	}
	index, err := outer.ImageIndex(hash)
	if err != nil {
		t.Fatal(err)
	}
	return index, digest
}
