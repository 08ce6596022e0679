package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/parley-gateway/parley/internal/fielderror"
)

// maxSecret is the largest secret or certificate file that is read.
const maxSecret = 1 << 20

// fileCredential is a credential whose secret is a file. Each login looks at
// the file: new content makes a new credential, content that cannot be used
// keeps the old one.
type fileCredential struct {
	mu   sync.Mutex
	file secretFile[azcore.TokenCredential]
	// lastDigest is the digest of the content that Reload saw last; zero = it could not be read.
	lastDigest [sha256.Size]byte
}

var (
	_ azcore.TokenCredential = (*fileCredential)(nil)
	_ resetter               = (*fileCredential)(nil)
)

// newFileCredential reads the file once, so that a bad one is found at start.
func newFileCredential(field, path string, build func([]byte) (azcore.TokenCredential, error)) (azcore.TokenCredential, error) {
	c := &fileCredential{file: secretFile[azcore.TokenCredential]{path: path, parse: build}}
	digest, err := c.file.load()
	if err != nil {
		return nil, fielderror.New(field, "%w", err)
	}
	c.lastDigest = digest
	return c, nil
}

// certified is a credential by certificate, which ends at a known time.
type certified struct {
	azcore.TokenCredential

	ends time.Time
}

// Expires returns when the certificate of a credential ends; zero = that is unknown, as of secrets.
func Expires(credential azcore.TokenCredential) time.Time {
	c, ok := credential.(*fileCredential)
	if !ok {
		return time.Time{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.file.current.(*certified); ok {
		return known.ends
	}
	return time.Time{}
}

// OfFile reports whether the secret of a credential of NewCredential is a file.
func OfFile(credential azcore.TokenCredential) bool {
	_, ok := credential.(*fileCredential)
	return ok
}

// Reload reads the file of a credential now. It reports whether the content is another one than at the last Reload, and why the new content
// cannot be used, if it cannot; the old one stays in force then. A credential without a file never changes.
func Reload(credential azcore.TokenCredential) (changed bool, err error) {
	c, ok := credential.(*fileCredential)
	if !ok {
		return false, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	digest, err := c.file.load()
	changed = digest != c.lastDigest
	c.lastDigest = digest
	return changed, err
}

// secretFile is a file and the value that was made of its present content. Its owner locks.
type secretFile[T any] struct {
	path  string
	parse func(content []byte) (T, error)

	loaded  bool
	current T
	digest  [sha256.Size]byte // of the content
	stale   bool              // made anew at the next load, even of equal content
}

// load makes the value anew if the file changed. Content that cannot be used is an error and changes nothing. The digest is that of the
// content, zero where it cannot be read.
func (f *secretFile[T]) load() (digest [sha256.Size]byte, err error) {
	content, err := readSecret(f.path)
	if err != nil {
		return digest, err
	}
	digest = sha256.Sum256(content)
	if f.loaded && digest == f.digest && !f.stale {
		return digest, nil
	}
	current, err := f.parse(content)
	if err != nil {
		return digest, err
	}
	f.loaded, f.current, f.digest, f.stale = true, current, digest, false
	return digest, nil
}

// GetToken logs in with the file's present content.
func (c *fileCredential) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	_, _ = c.file.load() // a file that cannot be used now leaves the old credential in place
	current := c.file.current
	c.mu.Unlock()
	return current.GetToken(ctx, options)
}

// Reset makes the next login forget the tokens that the library keeps.
func (c *fileCredential) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.file.stale = true
}

// readSecret reads a small file. Its errors never hold content.
func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path) //nolint:gosec // the operator names the file
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no file %q", path)
	case err != nil:
		return nil, fmt.Errorf("file %q cannot be read", path)
	case info.IsDir():
		return nil, fmt.Errorf("%q is a directory", path)
	case info.Size() > maxSecret:
		return nil, fmt.Errorf("file %q is larger than 1 MiB", path)
	}
	content, err := os.ReadFile(path) //nolint:gosec // the same
	if err != nil {
		return nil, fmt.Errorf("file %q cannot be read", path)
	}
	return content, nil
}

// renewable is a credential that is made anew to forget its tokens.
type renewable struct {
	build func() (azcore.TokenCredential, error)

	mu      sync.Mutex
	current azcore.TokenCredential
}

var (
	_ azcore.TokenCredential = (*renewable)(nil)
	_ resetter               = (*renewable)(nil)
)

func newRenewable(build func() (azcore.TokenCredential, error)) (azcore.TokenCredential, error) {
	current, err := build()
	if err != nil {
		return nil, err
	}
	return &renewable{build: build, current: current}, nil
}

// GetToken asks the present credential.
func (c *renewable) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	current := c.current
	c.mu.Unlock()
	return current.GetToken(ctx, options)
}

// Reset forgets the tokens that the library keeps.
func (c *renewable) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if current, err := c.build(); err == nil {
		c.current = current
	}
}
