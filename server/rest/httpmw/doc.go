// Package httpmw holds the HTTP middlewares before the REST API and its pages: which web origins may read answers (CORS), which
// host names a loopback listener answers to, and HSTS.
package httpmw
