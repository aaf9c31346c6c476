package main_test

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// terminal is a terminal at which a command runs.
type terminal struct {
	command *exec.Cmd
	file    *os.File
	ended   chan struct{}

	mu     sync.Mutex
	output strings.Builder
}

func startOnTerminal(t *testing.T, command *exec.Cmd) *terminal {
	t.Helper()
	file, err := pty.Start(command)
	require.NoError(t, err)
	at := &terminal{command: command, file: file, ended: make(chan struct{})}
	go func() {
		defer close(at.ended)
		buffer := make([]byte, 4096)
		for {
			n, err := file.Read(buffer)
			at.mu.Lock()
			at.output.Write(buffer[:n])
			at.mu.Unlock()
			if err != nil { // the command has ended
				return
			}
		}
	}()
	return at
}

func (at *terminal) text() string {
	at.mu.Lock()
	defer at.mu.Unlock()
	return at.output.String()
}

// await waits until the command has written the text.
func (at *terminal) await(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(at.text(), text) }, time.Minute, 5*time.Millisecond)
}

func (at *terminal) say(t *testing.T, text string) {
	t.Helper()
	_, err := at.file.WriteString(text)
	require.NoError(t, err)
}

// end waits for the end of the command and returns everything that it wrote.
func (at *terminal) end(t *testing.T) string {
	t.Helper()
	<-at.ended
	_ = at.command.Wait()
	_ = at.file.Close()
	return at.text()
}
