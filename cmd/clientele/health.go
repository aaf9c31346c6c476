package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

type healthCommand struct {
	Listen      string        `default:"127.0.0.1:8080" env:"CLIENTELE_LISTEN" placeholder:"ADDR" help:"Address that the service listens on (${default})."`
	TLSCertFile string        `name:"tls-cert-file" env:"CLIENTELE_TLS_CERT_FILE" placeholder:"FILE" help:"Certificate that the service presents; without one, plain HTTP is used."`
	Path        string        `default:"/readyz" enum:"/readyz,/healthz" help:"/readyz or /healthz (${default})."`
	Timeout     time.Duration `default:"3s" help:"Timeout of the check (${default})."`
}

// Run calls the health endpoint of the service on this machine and prints the response.
// The exit status is 1 if the status is not 200.
func (c *healthCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme, transport := "http", &http.Transport{Proxy: nil}
	if c.TLSCertFile != "" {
		scheme = "https"
		if transport.TLSClientConfig, err = trusting(c.TLSCertFile); err != nil {
			return err
		}
	}
	url := scheme + "://" + net.JoinHostPort(host, port) + c.Path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return err
	}
	if _, err := (escaping{os.Stdout}).Write(text); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return exitError(1)
	}
	return nil
}

// trusting returns a configuration that trusts only the certificate in the file. The
// first DNS name of the certificate is used as the server name.
func trusting(certFile string) (*tls.Config, error) {
	text, err := readSetting(certFile)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("certificate: the file has no certificate in PEM")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	if len(leaf.DNSNames) > 0 {
		config.ServerName = leaf.DNSNames[0]
	}
	return config, nil
}
