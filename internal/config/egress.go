package config

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// egress returns the function that chooses the proxy of requests to Graph, to the login service, for report downloads and for the keys
// of token issuers: the proxy of the settings, else the one of HTTPS_PROXY, and none for hosts that NO_PROXY names. By custom, the
// proxy of HTTPS_PROXY is not used for targets on this machine; the proxy of the settings is. No error holds the URL of a proxy, since it
// may have a password.
func (s *Settings) egress(log *slog.Logger) (func(*http.Request) (*url.URL, error), error) {
	env := httpproxy.FromEnvironment()
	var own *url.URL
	if s.ProxyURL != "" {
		var err error
		if own, err = url.Parse(s.ProxyURL); err != nil {
			return nil, s.Errorf(&s.ProxyURL, "is not a URL")
		}
		env.HTTPProxy, env.HTTPSProxy, env.CGI = s.ProxyURL, s.ProxyURL, false
	}
	choose := env.ProxyFunc()
	// The library silently uses no proxy where it cannot read the proxy's URL. To find that out, it is asked about a host that no entry of
	// NO_PROXY matches but the star.
	through, err := choose(&url.URL{Scheme: "https", Host: "graph.parley.invalid"})
	if err != nil || through == nil && env.HTTPSProxy != "" && !strings.Contains(","+strings.ReplaceAll(env.NoProxy, " ", "")+",", ",*,") {
		if own != nil {
			return nil, s.Errorf(&s.ProxyURL, "is not the URL of a proxy, such as http://proxy.example:3128")
		}
		return nil, errEnvironment
	}
	if through == nil && own == nil {
		return nil, nil //nolint:nilnil // no proxy is how net/http has it too
	}
	if through != nil {
		log.Info("requests to Graph, the login service and token issuers leave through a proxy", "proxy", through.Host)
	}
	return func(r *http.Request) (*url.URL, error) {
		if own != nil && loopback(r.URL.Hostname()) {
			if inNoProxy(env.NoProxy, r.URL) {
				return nil, nil //nolint:nilnil // as above
			}
			return own, nil
		}
		return choose(r.URL)
	}, nil
}

var errEnvironment = errors.New("HTTPS_PROXY: is not the URL of a proxy, such as http://proxy.example:3128; mend or unset it")

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// inNoProxy reports whether the list of NO_PROXY has a target on this machine, which the library never looks up in it: by its host or
// address, with or without the port, by a network, or by the star.
func inNoProxy(list string, target *url.URL) bool {
	host, port := target.Hostname(), target.Port()
	address, addressErr := netip.ParseAddr(host)
	return slices.ContainsFunc(strings.Split(list, ","), func(entry string) bool {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if entry == "*" {
			return true
		}
		if network, err := netip.ParsePrefix(entry); err == nil {
			return addressErr == nil && network.Contains(address)
		}
		name := entry
		if named, only, err := net.SplitHostPort(entry); err == nil {
			if only != port {
				return false
			}
			name = named
		}
		name = strings.Trim(name, "[]")
		return name != "" && strings.EqualFold(name, host)
	})
}
