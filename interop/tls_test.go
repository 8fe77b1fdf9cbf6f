//go:build linux

package interop

import (
	"net/http"
	"net/url"
)

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }
