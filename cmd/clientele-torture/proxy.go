package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy forwards connections, with an optional delay.
type proxy struct {
	listener net.Listener
	target   func() (network, address string)
	delay    atomic.Int64 // before each write, in nanoseconds

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func newProxy(ctx context.Context, network, address string, target func() (network, address string)) (*proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: listener, target: target, conns: map[net.Conn]struct{}{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go p.forward(ctx, conn)
		}
	}()
	return p, nil
}

// forward connects a connection to the target until either side ends.
func (p *proxy) forward(ctx context.Context, from net.Conn) {
	network, address := p.target()
	to, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		_ = from.Close()
		return
	}
	p.keep(from, to)
	var group sync.WaitGroup
	group.Go(func() { p.copy(ctx, to, from) })
	group.Go(func() { p.copy(ctx, from, to) })
	group.Wait()
	p.forget(from, to)
}

func (p *proxy) copy(ctx context.Context, to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if delay := p.delay.Load(); delay > 0 {
			pause(ctx, time.Duration(delay))
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
}

func (p *proxy) keep(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		p.conns[conn] = struct{}{}
	}
}

func (p *proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		delete(p.conns, conn)
	}
}

// cut closes every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.cut()
}
