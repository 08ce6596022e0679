package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// authorities is where Go looks first for the certificates of public authorities.
const authorities = "/etc/ssl/certs/ca-certificates.crt"

// file is a file of a layer.
type file struct {
	name string
	mode int64
	data []byte
}

// system has the files beside the binary: the user by name, and the public authorities of Mozilla's list, which go.sum pins.
func system() []file {
	var roots bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue // a file cannot say which certificates of it are to be believed
		}
		_ = pem.Encode(&roots, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
	}
	return []file{
		{name: "/etc/passwd", mode: 0o644, data: []byte("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n")},
		{name: "/etc/group", mode: 0o644, data: []byte("root:x:0:\nnonroot:x:65532:\n")},
		{name: authorities, mode: 0o644, data: roots.Bytes()},
	}
}

// archive is a tar of files and the folders that they are in, all of root and of one time.
func archive(files []file, at time.Time) tarball.Opener {
	return func() (io.ReadCloser, error) {
		var text bytes.Buffer
		to := tar.NewWriter(&text)
		for _, folder := range folders(files) {
			header := &tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755, ModTime: at, Format: tar.FormatPAX}
			if err := to.WriteHeader(header); err != nil {
				return nil, err
			}
		}
		for _, each := range files {
			header := &tar.Header{
				Typeflag: tar.TypeReg, Name: strings.TrimPrefix(each.name, "/"), Size: int64(len(each.data)), Mode: each.mode, ModTime: at, Format: tar.FormatPAX,
			}
			if err := to.WriteHeader(header); err != nil {
				return nil, err
			}
			if _, err := to.Write(each.data); err != nil {
				return nil, err
			}
		}
		return io.NopCloser(&text), to.Close()
	}
}

// folders are the folders of files, each behind the one that it is in.
func folders(files []file) []string {
	var all []string
	for _, each := range files {
		for folder := path.Dir(strings.TrimPrefix(each.name, "/")); folder != "."; folder = path.Dir(folder) {
			all = append(all, folder)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
