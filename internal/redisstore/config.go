package redisstore

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/parley-gateway/parley/internal/fielderror"
)

// Defaults of Config.
const (
	DefaultPrefix  = "parley"
	DefaultTimeout = 50 * time.Millisecond
)

// Config describes a store.
type Config struct {
	// URL names it: redis:// or rediss:// (TLS), host and port, and perhaps the number of a database. Further servers follow as addr
	// parameters; with master_set they are sentinels.
	URL string
	// Username and PasswordFile are the login; the file is read at each connection.
	Username, PasswordFile string
	// CAFile is a PEM file of authorities to trust, in addition to the system's.
	CAFile string
	// Names returns the name under which the store holds a text, such as a keyed hash: replicas with other keys use other names. nil = the
	// text itself.
	Names func(string) string
	// Prefix begins all names; "" = DefaultPrefix.
	Prefix string
	// Timeout bounds each operation; 0 = DefaultTimeout.
	Timeout time.Duration
	// Observer counts operations; nil = nobody does.
	Observer Observer
}

// Observer counts operations. Its method must not block.
type Observer interface {
	// SharedRequest reports an operation and its result: ok, hit, miss, invalid, timeout, error, open (the store is left alone) or dropped.
	SharedRequest(op, result string, took time.Duration)
}

type noObserver struct{}

func (noObserver) SharedRequest(string, string, time.Duration) {}

var _ Observer = noObserver{}

var (
	errNoCertificate = errors.New("holds no certificate in PEM form")
	prefixForm       = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)
)

// Times of a connection.
const (
	dialTimeout = 2 * time.Second
	// idleTimeout is how long a connection may be silent before it is given up.
	idleTimeout = 3 * time.Second
)

// complete returns the configuration with its defaults, and the options of a client. Errors are field errors.
func (cfg Config) complete() (Config, rueidis.ClientOption, error) {
	cfg.Prefix, cfg.Timeout = cmp.Or(cfg.Prefix, DefaultPrefix), cmp.Or(cfg.Timeout, DefaultTimeout)
	if cfg.Names == nil {
		cfg.Names = func(text string) string { return text }
	}
	if cfg.Observer == nil {
		cfg.Observer = noObserver{}
	}
	var errs []error
	option, err := parseURL(cfg.URL)
	if err != nil {
		errs = append(errs, fielderror.New("URL", "%w", err))
	}
	if !prefixForm.MatchString(cfg.Prefix) {
		errs = append(errs, fielderror.New("Prefix", "is not a prefix; use up to 64 letters, digits and the signs . _ : -"))
	}
	if cfg.Timeout < 0 {
		errs = append(errs, fielderror.New("Timeout", "must not be negative"))
	}
	if _, err := cfg.password(); err != nil {
		errs = append(errs, fielderror.New("PasswordFile", "%w", err))
	}
	if cfg.Username != "" && cfg.PasswordFile == "" {
		errs = append(errs, fielderror.New("Username", "needs a password; name its file, or unset the user"))
	}
	if cfg.CAFile != "" {
		errs = append(errs, cfg.trustCAFile(&option))
	}
	option.AuthCredentialsFn = func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
		password, err := cfg.password()
		return rueidis.AuthCredentials{Username: cfg.Username, Password: password}, err
	}
	return cfg, option, errors.Join(errs...)
}

// parseURL reads the URL of a store.
func parseURL(text string) (rueidis.ClientOption, error) {
	form := errors.New("is not the URL of a store; write redis://host:port, or rediss://host:port for TLS")
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "redis" && u.Scheme != "rediss" {
		return rueidis.ClientOption{}, form
	}
	if u.User != nil {
		return rueidis.ClientOption{}, errors.New("must hold no user and no password; give the user by itself and the password in a file")
	}
	for name := range u.Query() {
		if name != "addr" && name != "master_set" && name != "db" {
			return rueidis.ClientOption{}, fmt.Errorf("has a parameter that is not known, %q; use addr and master_set", name)
		}
	}
	option, err := rueidis.ParseURL(text)
	if err != nil {
		return rueidis.ClientOption{}, form
	}
	if option.TLSConfig != nil {
		option.TLSConfig.ServerName = "" // each server is verified by its own name
	}
	// With retries a read hangs while the store is down; with several connections a replica would overtake its own writes.
	option.DisableRetry, option.PipelineMultiplex = true, -1
	option.DisableCache = true // values are cached in memory above
	option.Dialer.Timeout, option.ConnWriteTimeout = dialTimeout, idleTimeout
	option.Sentinel.TLSConfig = option.TLSConfig
	return option, nil
}

// trustCAFile adds the authorities of CAFile to the options.
func (cfg Config) trustCAFile(option *rueidis.ClientOption) error {
	if option.TLSConfig == nil {
		return fielderror.New("CAFile", "is for a store over TLS; write its URL as rediss://, or unset the file")
	}
	pem, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return fielderror.New("CAFile", "%w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return fielderror.New("CAFile", "%w", errNoCertificate)
	}
	option.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	option.Sentinel.TLSConfig = option.TLSConfig
	return nil
}

// password is the content of PasswordFile without white space around it.
func (cfg Config) password() (string, error) {
	if cfg.PasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(cfg.PasswordFile)
	if err != nil {
		return "", err
	}
	password := strings.TrimSpace(string(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	if password == "" {
		return "", errors.New("holds no password; write it into the file, or unset the setting")
	}
	return password, nil
}
