package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// binaries is where the binary is in the image.
	binaries = "/usr/local/bin/"
	// user is who runs it, a number, so that runAsNonRoot can be checked without /etc/passwd.
	user = "65532:65532"

	cyclonedx = "https://cyclonedx.org/bom"
)

// kind is how an image is started, and what its label says.
type kind struct {
	description string
	command     []string
	ports       map[string]struct{}
	probed      bool
}

// kinds are the images by their titles, which are the names of their programs.
var kinds = map[string]kind{ //nolint:gochecknoglobals // a constant in all but type
	"parley": {
		description: "One gRPC and REST API over the conversation data of a Microsoft 365 tenant",
		command:     []string{"serve"}, ports: map[string]struct{}{"9090/tcp": {}, "8080/tcp": {}}, probed: true,
	},
	"parley-export": {description: "Writes the conversation data of a Microsoft 365 tenant into tables, by a Parley gateway"},
}

// facts are what labels tell about an image.
type facts struct {
	title, version, revision string
	created                  time.Time
}

// program is the binary of one architecture and its bill of materials in CycloneDX JSON.
type program struct {
	architecture, binary, sbom string
}

// labels are set on the index, on each image's manifest, and in each image's configuration, where engines read them.
func (f facts) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":         f.title,
		"org.opencontainers.image.description":   kinds[f.title].description,
		"org.opencontainers.image.url":           "https://github.com/parley-gateway/parley",
		"org.opencontainers.image.source":        "https://github.com/parley-gateway/parley",
		"org.opencontainers.image.documentation": "https://github.com/parley-gateway/parley/blob/main/docs/README.md",
		"org.opencontainers.image.version":       f.version,
		"org.opencontainers.image.revision":      f.revision,
		"org.opencontainers.image.created":       f.created.Format(time.RFC3339),
	}
}

// assemble makes the image of each program and the index over them. Behind each image stands its bill of materials as an
// attestation, in the form of BuildKit: it is a part of the index, and goes wherever the index is copied.
func assemble(about facts, programs []program) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var images, attestations []mutate.IndexAddendum
	for _, each := range programs {
		img, err := each.image(about)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each.architecture, err)
		}
		images = append(images, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: each.architecture}},
		})
		bill, err := each.attestation(about.title, img)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each.sbom, err)
		}
		attestations = append(attestations, bill)
	}
	index = mutate.AppendManifests(index, append(images, attestations...)...)
	labelled, ok := mutate.Annotations(index, about.labels()).(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("annotations made %T of an index", labelled)
	}
	return labelled, nil
}

// image makes the image of one architecture: a layer of the files that every build has, and a layer of the binary.
func (p program) image(about facts) (v1.Image, error) {
	binary, err := os.ReadFile(p.binary)
	if err != nil {
		return nil, err
	}
	started, entrypoint := kinds[about.title], binaries+about.title
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, content := range [][]file{system(), {{name: entrypoint, mode: 0o755, data: binary}}} {
		layer, err := tarball.LayerFromOpener(archive(content, about.created),
			tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression))
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, err
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", p.architecture, v1.Time{Time: about.created}
	config.Config = v1.Config{
		User: user, Entrypoint: []string{entrypoint}, Cmd: started.command, WorkingDir: "/",
		Env:          []string{"PATH=/usr/local/bin", "SSL_CERT_FILE=" + authorities},
		ExposedPorts: started.ports,
		Labels:       about.labels(),
	}
	if started.probed {
		config.Config.Healthcheck = &v1.HealthConfig{Test: []string{"CMD", entrypoint, "healthcheck"}, Interval: 10 * time.Second, Timeout: 6 * time.Second}
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(img, about.labels()).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("annotations made %T of an image", annotated)
	}
	return annotated, nil
}

// statement is an in-toto statement.
type statement struct {
	Type          string          `json:"_type"`
	PredicateType string          `json:"predicateType"`
	Subject       []subject       `json:"subject"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// attestation states that an image holds what its bill of materials lists.
func (p program) attestation(title string, img v1.Image) (mutate.IndexAddendum, error) {
	bill, err := os.ReadFile(p.sbom)
	if err != nil {
		return mutate.IndexAddendum{}, err
	}
	digest, err := img.Digest()
	if err != nil {
		return mutate.IndexAddendum{}, err
	}
	stated, err := json.Marshal(statement{
		Type: "https://in-toto.io/Statement/v0.1", PredicateType: cyclonedx,
		Subject:   []subject{{Name: title + "-linux-" + p.architecture, Digest: map[string]string{digest.Algorithm: digest.Hex}}},
		Predicate: bill,
	})
	if err != nil {
		return mutate.IndexAddendum{}, err
	}
	unknown := &v1.Platform{OS: "unknown", Architecture: "unknown"}
	manifest := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	manifest, err = mutate.ConfigFile(manifest, &v1.ConfigFile{OS: unknown.OS, Architecture: unknown.Architecture, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		return mutate.IndexAddendum{}, err
	}
	manifest, err = mutate.Append(manifest, mutate.Addendum{
		Layer:       static.NewLayer(stated, "application/vnd.in-toto+json"),
		Annotations: map[string]string{"in-toto.io/predicate-type": cyclonedx},
	})
	return mutate.IndexAddendum{Add: manifest, Descriptor: v1.Descriptor{
		Platform: unknown,
		Annotations: map[string]string{
			"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest.String(),
		},
	}}, err
}
