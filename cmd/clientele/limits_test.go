package main

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The windows that the server offers are what a connection can fill without being
// read (RFC 9113 §6.5.2, §6.9).
func TestHTTP2BuffersLittleBeforeItIsRead(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.EnableHTTP2 = true
	server.Config.HTTP2 = http2Limits()
	server.StartTLS()
	t.Cleanup(server.Close)
	dialer := tls.Dialer{Config: &tls.Config{NextProtos: []string{"h2"}, InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00") // and empty settings
	require.NoError(t, err)

	const initial = 65535 // RFC 9113 §6.9.2
	stream, connection := uint32(initial), uint32(initial)
	for settings, windows := false, false; !settings || !windows; {
		header := make([]byte, 9)
		_, err := io.ReadFull(conn, header)
		require.NoError(t, err)
		payload := make([]byte, binary.BigEndian.Uint32(append([]byte{0}, header[:3]...)))
		_, err = io.ReadFull(conn, payload)
		require.NoError(t, err)
		switch {
		case header[3] == 4 && header[4] == 0: // SETTINGS
			settings = true
			for ; len(payload) >= 6; payload = payload[6:] {
				if binary.BigEndian.Uint16(payload) == 4 { // SETTINGS_INITIAL_WINDOW_SIZE
					stream = binary.BigEndian.Uint32(payload[2:])
				}
			}
		case header[3] == 8: // WINDOW_UPDATE
			windows = true
			connection += binary.BigEndian.Uint32(payload)
		}
	}
	assert.EqualValues(t, http2StreamBuffer, stream)
	assert.EqualValues(t, http2ConnectionBuffer, connection)
}
