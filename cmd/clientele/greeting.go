package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
)

// greet prints an example of a first call to a service in development mode.
func (c *serveCommand) greet(to io.Writer, address net.Addr) {
	root, trust := c.localURL(address), ""
	if c.TLSCertFile != "" {
		trust = "--cacert " + c.TLSCertFile + " "
	}
	_, _ = fmt.Fprintf(to, `Clientele is listening on %[1]s in development mode.
An administrator token is in %[2]s. A first call:

  curl -s %[3]s%[1]s/admin/oauth/clients \
    -H "Authorization: Bearer $(cat %[2]s)" -H 'Content-Type: application/json' \
    -d '{"name": "My App", "redirect_uris": ["https://app.example.com/callback"]}'

`, root, devTokenFile(c.Data), trust)
}

// localURL returns a URL of the service that works on this machine. For a service that
// listens on all addresses it has the loopback address, or localhost if the certificate
// is valid only for that name.
func (c *serveCommand) localURL(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if c.TLSCertFile == "" {
		return "http://" + net.JoinHostPort(host, port)
	}
	if pair, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile); err == nil && pair.Leaf != nil &&
		pair.Leaf.VerifyHostname(host) != nil && net.ParseIP(host).IsLoopback() && pair.Leaf.VerifyHostname("localhost") == nil {
		host = "localhost"
	}
	return "https://" + net.JoinHostPort(host, port)
}
