package main

import "net/http"

// Limits of the data on an HTTP/2 connection that no handler has read yet, in bytes.
// The handler limits bodies only while it reads them; with the default of net/http,
// 1 MiB, each connection could use that much memory before a handler starts.
const (
	http2StreamBuffer     = 64 << 10
	http2ConnectionBuffer = 256 << 10
)

// http2Limits bounds the buffers of the server for HTTP/2 (RFC 9113 §5.2).
func http2Limits() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxReceiveBufferPerStream:     http2StreamBuffer,
		MaxReceiveBufferPerConnection: http2ConnectionBuffer,
	}
}
