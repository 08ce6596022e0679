package clouds_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	_ "github.com/parley-gateway/parley/export/internal/clouds"
	"github.com/parley-gateway/parley/export/internal/store"
)

// TestS3 keeps objects in a bucket of S3.
func TestS3(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("night"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	keepsObjects(t, "s3://night/deep/er?region=eu-central-1&use_path_style=true&endpoint="+server.URL, func(name string) error {
		_, err := backend.HeadObject("night", name)
		return err
	})
}

// TestGoogle keeps objects in a bucket of Google Cloud Storage.
func TestGoogle(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	address := server.Listener.Addr().String()
	fake, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: address, ExternalURL: "http://" + address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Stop)
	fake.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "night"})
	server.Config.Handler = fake.HTTPHandler()
	server.Start()
	t.Cleanup(server.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", address)
	keepsObjects(t, "gs://night/deep/er", func(name string) error {
		_, err := fake.GetObject("night", name)
		return err
	})
}

// keepsObjects holds what the exporter needs of a bucket: whole objects, reading, listing and removing below a prefix. held asks the service
// for an object by its whole name.
func keepsObjects(t *testing.T, url string, held func(name string) error) {
	t.Helper()
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, content := range []string{"one", "two"} {
		if err := s.Put(t.Context(), "owner", "dataset=events/a.parquet", strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	reader, err := s.Read(t.Context(), "dataset=events/a.parquet")
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(reader)
	if err != nil || string(content) != "two" {
		t.Errorf("%q, %v", content, err)
	}
	_ = reader.Close()
	if names, err := s.List(t.Context(), "dataset=events/"); err != nil || !slices.Equal(names, []string{"dataset=events/a.parquet"}) {
		t.Errorf("%v, %v", names, err)
	}
	if err := held("deep/er/dataset=events/a.parquet"); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := s.Delete(t.Context(), "dataset=events/a.parquet"); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Read(t.Context(), "dataset=events/a.parquet"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an object that is not there: %v", err)
	}
}

// TestUnknownScheme opens a URL of no service.
func TestUnknownScheme(t *testing.T) {
	t.Parallel()
	if _, err := store.Open(t.Context(), "ftp://night"); err == nil {
		t.Error("an unknown scheme is opened")
	}
}
