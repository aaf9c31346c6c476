package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is the minimum time between two checks whether the files of the
// certificate have changed.
const certificateCheck = time.Second

// certificate is a certificate that is reloaded when its files change. It is safe for
// concurrent use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu        sync.Mutex
	current   *tls.Certificate
	changed   [2]time.Time // modification times of the files of current
	checkedAt time.Time
}

// openCertificate reads the certificate for the first time.
func openCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return c, nil
}

// config returns the TLS configuration of a server. TLS 1.2 is the minimum version that
// FAPI 2.0 allows (FAPI 2.0 Security Profile §5.2.1).
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checkedAt) >= certificateCheck {
		if err := c.read(); err != nil { // the files may be half-written; the next check reads them again
			c.log.WarnContext(context.Background(), "the certificate cannot be read; the previous one stays in use", "error", err)
		}
	}
	return c.current, nil
}

// read reads the files if they have changed since the last time.
func (c *certificate) read() error {
	c.checkedAt = time.Now()
	var changed [2]time.Time
	for i, name := range []string{c.certFile, c.keyFile} {
		file, err := os.Stat(name)
		if err != nil {
			return err
		}
		changed[i] = file.ModTime()
	}
	if c.current != nil && changed == c.changed {
		return nil
	}
	var texts [2][]byte
	for i, name := range []string{c.certFile, c.keyFile} {
		var err error
		if texts[i], err = readSetting(name); err != nil {
			return err
		}
	}
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return err
	}
	c.current, c.changed = &pair, changed
	return nil
}
