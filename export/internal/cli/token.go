package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"golang.org/x/oauth2"
)

// tokenFunc fetches a token and returns when it ends.
type tokenFunc func(context.Context) (string, time.Time, error)

// tokenRetries say how long a service of tokens is asked: a night does not end because it is away for a minute.
type tokenRetries struct {
	timeout  time.Duration // of each try
	tries    int
	wait     time.Duration // after the first try; it doubles up to waitMost
	waitMost time.Duration
}

var usualTokenRetries = tokenRetries{timeout: 30 * time.Second, tries: 8, wait: time.Second, waitMost: 30 * time.Second}

// fetch returns a function that calls next until it succeeds, refuses, or was called often enough.
func (r tokenRetries) fetch(next tokenFunc) tokenFunc {
	return func(ctx context.Context) (string, time.Time, error) {
		wait := r.wait
		for try := 1; ; try++ {
			token, expiry, err := r.once(ctx, next)
			switch {
			case err == nil:
				return token, expiry, nil
			case ctx.Err() != nil || isTokenRefusal(err):
				return "", time.Time{}, err
			case try == r.tries:
				return "", time.Time{}, fmt.Errorf("after %d tries: %w", try, err)
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return "", time.Time{}, context.Cause(ctx)
			}
			wait = min(2*wait, r.waitMost)
		}
	}
}

func (r tokenRetries) once(ctx context.Context, next tokenFunc) (string, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return next(ctx)
}

// isTokenRefusal reports whether asking again brings the same error: an answer that refuses, a file that cannot be read, or a credential that is not there.
func isTokenRefusal(err error) bool {
	var answer *http.Response
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		answer = refused.Response
	} else if failed, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok {
		answer = failed.RawResponse
	} else {
		_, noFile := errors.AsType[*fs.PathError](err)
		var final interface{ NonRetriable() } // of the Azure SDK, where there is no such credential
		return noFile || errors.As(err, &final)
	}
	if answer == nil {
		return false
	}
	switch answer.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	default:
		return answer.StatusCode < http.StatusInternalServerError
	}
}
