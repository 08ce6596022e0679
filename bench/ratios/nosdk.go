//go:build !sdk

package main

import "net/http"

// newSDK: without the tag sdk there is no contender to compare with, and nothing that takes minutes to build.
func newSDK(string, *http.Client) (*contender, error) { return nil, nil } //nolint:nilnil // none is not an error
