package main

import "net/http"

// What an HTTP/2 connection may send before a handler reads it, in bytes. The
// limits that the handler sets for bodies begin when it reads them; the defaults
// of net/http, 1 MiB, would let each connection fill that much before.
const (
	http2StreamBuffer     = 64 << 10
	http2ConnectionBuffer = 256 << 10
)

// http2Limits bounds what the server buffers for HTTP/2 (RFC 9113 §5.2).
func http2Limits() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxReceiveBufferPerStream:     http2StreamBuffer,
		MaxReceiveBufferPerConnection: http2ConnectionBuffer,
	}
}
