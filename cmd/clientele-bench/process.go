package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// residentMemory reads a figure of a process's memory, in bytes: VmRSS is what it
// has now, VmHWM the most that it ever had (proc(5)).
func residentMemory(pid int, figure string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(figure + `:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0, fmt.Errorf("no %s for process %d", figure, pid)
	}
	kib, err := strconv.ParseInt(string(found[1]), 10, 64)
	return kib << 10, err
}

// clockTick is the unit of times in /proc; 100 a second on every Linux there is.
const clockTick = 10 * time.Millisecond

// processTime is how long a process has been on a processor, with its children
// that have ended.
func processTime(pid int) (time.Duration, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}
