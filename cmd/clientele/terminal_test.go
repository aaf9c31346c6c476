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

// terminal is a pseudo-terminal in which a command runs.
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
	term := &terminal{command: command, file: file, ended: make(chan struct{})}
	go func() {
		defer close(term.ended)
		buffer := make([]byte, 4096)
		for {
			n, err := file.Read(buffer)
			term.mu.Lock()
			term.output.Write(buffer[:n])
			term.mu.Unlock()
			if err != nil { // the command has ended
				return
			}
		}
	}()
	return term
}

func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.output.String()
}

// await waits until the command has written the text.
func (term *terminal) await(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(term.text(), text) }, time.Minute, 5*time.Millisecond)
}

// enter types the text.
func (term *terminal) enter(t *testing.T, text string) {
	t.Helper()
	_, err := term.file.WriteString(text)
	require.NoError(t, err)
}

// end waits for the end of the command and returns everything that it wrote.
func (term *terminal) end(t *testing.T) string {
	t.Helper()
	<-term.ended
	_ = term.command.Wait()
	_ = term.file.Close()
	return term.text()
}
