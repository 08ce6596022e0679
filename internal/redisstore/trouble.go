package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"

	"github.com/redis/rueidis"
)

// Troubles with a store, as the log names them.
const (
	troubleCertificate = "certificate" // is not trusted, or is for another name
	troubleLogin       = "login"       // is refused, or may not do what is needed
	troubleFull        = "full"
	troubleTimeout     = "timeout"
	troubleConnection  = "connection"
	troubleAnswer      = "answer" // is an error, or of another form
)

// troubleOf says in a word what an error of the store is about. The text of the error may have addresses and names; the word has none.
func troubleOf(err error) string {
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return troubleCertificate
	}
	if refused, ok := rueidis.IsRedisErr(err); ok {
		return refusalOf(refused.Error())
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return troubleTimeout
	}
	if _, broken := errors.AsType[net.Error](err); broken || !errors.Is(err, errAnswer) {
		return troubleConnection
	}
	return troubleAnswer
}

// refusalOf reads the code that a server's error begins with. A script's error may have it further on.
func refusalOf(text string) string {
	for trouble, codes := range map[string][]string{
		troubleLogin: {"NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH", "ERR invalid password"},
		troubleFull:  {"OOM "},
	} {
		for _, code := range codes {
			if strings.Contains(text, code) {
				return trouble
			}
		}
	}
	return troubleAnswer
}
