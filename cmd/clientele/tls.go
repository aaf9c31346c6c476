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

// certificateCheck is the least time between two looks at the files of a
// certificate.
const certificateCheck = time.Second

// certificate is a certificate in files, read again when they have changed. It
// is safe for concurrent use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu        sync.Mutex
	current   *tls.Certificate
	changed   [2]time.Time // of the files that current was read from
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

// config is that of a server; TLS 1.2 is the least that FAPI 2.0 allows (FAPI
// 2.0 Security Profile §5.2.1).
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checkedAt) >= certificateCheck {
		if err := c.read(); err != nil { // half-written, perhaps: the next look will tell
			c.log.WarnContext(context.Background(), "the certificate cannot be read; the previous one stays in use", "error", err)
		}
	}
	return c.current, nil
}

// read reads the files where they are others than the last time.
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
