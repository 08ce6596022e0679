package config

import (
	"io/fs"
	"maps"
	"os"
	"slices"
)

// Exposure is a file that others on the machine can read or change although it decides who may do what.
type Exposure struct {
	// Setting names the file, Path is where it is.
	Setting, Path string
	// Problem says what others can do, and the fix.
	Problem string
}

// Exposed returns the files of secrets that every user of the machine can read, and the files of secrets, authorities and rules
// that every one of them can change. Links are followed: what counts is the file that is read. A file that cannot be looked at is
// the affair of Check.
func (s *Settings) Exposed() []Exposure {
	const others, mayRead, mayWrite fs.FileMode = 0o007, 0o004, 0o002
	var found []Exposure
	seen := map[string]bool{}
	look := func(setting, path string, secret bool) {
		info, err := os.Stat(path)
		if path == "" || err != nil || seen[path] {
			return
		}
		seen[path] = true
		switch mode := info.Mode().Perm() & others; {
		case mode&mayWrite != 0:
			found = append(found, Exposure{setting, path, "every user of this machine can change the file; take the permission away (chmod o-rwx)"})
		case mode&mayRead != 0 && secret:
			found = append(found, Exposure{setting, path, "every user of this machine can read the secret; take the permission away (chmod o-rwx, in Kubernetes defaultMode: 0400)"})
		}
	}
	tenants := s.ByAlias()
	for _, alias := range slices.Sorted(maps.Keys(tenants)) {
		own := tenants[alias]
		look("PARLEY_GRAPH_CLIENT_SECRET_FILE", own.GraphClientSecretFile, true)
		look("PARLEY_GRAPH_CERTIFICATE_FILE", own.GraphCertificateFile, true)
		look("PARLEY_GRAPH_CA_FILE", own.GraphCAFile, false)
	}
	look("PARLEY_SEAL_KEYS_FILE", s.SealKeysFile, true)
	look("PARLEY_SHARED_KEYS_FILE", s.SharedKeysFile, true)
	look("PARLEY_SHARED_PASSWORD_FILE", s.SharedPasswordFile, true)
	look("PARLEY_SHARED_CA_FILE", s.SharedCAFile, false)
	look("PARLEY_TLS_KEY_FILE", s.TLSKeyFile, true)
	look("PARLEY_TLS_CERT_FILE", s.TLSCertFile, false)
	look("PARLEY_TLS_CLIENT_CA_FILE", s.TLSClientCAFile, false)
	look("PARLEY_OIDC_CA_FILE", s.OIDCCAFile, false)
	look("PARLEY_POLICY_FILE", s.PolicyFile, false)
	return found
}
