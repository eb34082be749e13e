package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A screen is a pseudo-terminal with a process.
type screen struct {
	*os.File
	cmd *exec.Cmd

	mu   sync.Mutex
	text strings.Builder // what the process wrote
	end  chan struct{}   // closed at its end
}

// startOnScreen starts the command on a terminal with so many columns.
func startOnScreen(t *testing.T, dir string, columns uint16, args ...string) *screen {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { ptmx.Close() })
	fd := int(ptmx.Fd())
	number, e1 := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	e2 := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	e3 := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns})
	tty, e4 := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	for _, err := range []error{e1, e2, e3, e4} {
		if err != nil {
			t.Skip(err)
		}
	}
	defer tty.Close()
	cmd := exec.Command("recap", args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, tty, tty, tty
	cmd.Env = append(os.Environ(), "TERM=xterm")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &screen{File: ptmx, cmd: cmd, end: make(chan struct{})}
	go func() {
		defer close(s.end)
		buffer := make([]byte, 4096)
		for {
			n, err := ptmx.Read(buffer)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.text.Write(buffer[:n])
			s.mu.Unlock()
		}
	}()
	return s
}

// written returns what the process has written.
func (s *screen) written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the process has written a text, with line breaks anywhere.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	for range 6000 {
		if strings.Contains(strings.Join(strings.Fields(s.written()), " "), text) {
			return
		}
		select {
		case <-s.end:
			t.Fatalf("ended without %q:\n%s", text, s.written())
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("no %q:\n%s", text, s.written())
}

// wait waits for the end of the process and returns its exit code.
func (s *screen) wait() int {
	s.cmd.Wait()
	<-s.end
	return s.cmd.ProcessState.ExitCode()
}

// TestTrainOnTerminals trains on terminals of several widths. No line is wider than the terminal,
// the first comes before the model is made, and the log has no keys and values.
func TestTrainOnTerminals(t *testing.T) {
	dir := ""
	for _, columns := range []int{60, 80, 120} {
		dir = workDir(t)
		s := startOnScreen(t, dir, uint16(columns), "train", "--config", "tiny.yaml",
			"-s", "1", "-s", "2")
		if code := s.wait(); code != 0 {
			t.Fatalf("exit %d\n%s", code, s.written())
		}
		text := s.written()
		if !strings.HasPrefix(text, "training RECAP on synthetic: seeds 1 2, preset quick") {
			t.Errorf("the first line: %.200s", text)
		}
		for _, part := range []string{"seed 2 of 2, ", "stage 2, epoch 2 of 2", " parameters"} {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), part) {
				t.Errorf("%d columns: no %q:\n%s", columns, part, text)
			}
		}
		if strings.Contains(text, "level=") || strings.Contains(text, "epoch=") {
			t.Errorf("%d columns: keys and values for programs:\n%s", columns, text)
		}
		checkWidth(t, text, columns)
	}
	for command, want := range map[string]string{"eval": "test: 0 of 4", "report": "explorer, "} {
		s := startOnScreen(t, dir, 80, command, "runs/synthetic/recap/full")
		if code := s.wait(); code != 0 || !strings.Contains(s.written(), want) {
			t.Errorf("%s: exit %d, no %q:\n%s", command, code, want, s.written())
		}
	}
}

// checkWidth checks that no line is wider than the terminal, except a path, and that there is room
// for ^C after the status line.
func checkWidth(t *testing.T, text string, columns int) {
	t.Helper()
	ends := func(r rune) bool { return r == '\n' || r == '\r' }
	for _, line := range strings.FieldsFunc(text, ends) {
		line = strings.TrimPrefix(line, "\x1b[K")
		if n := len([]rune(line)); n > columns && strings.Contains(line, " ") {
			t.Errorf("%d columns: a line of %d: %s", columns, n, line)
		} else if strings.Contains(line, ": epoch ") && n+len("^C") >= columns {
			t.Errorf("%d columns: a status line of %d: %s", columns, n, line)
		}
	}
}

// TestCtrlC presses Ctrl-C once and twice during a long epoch.
func TestCtrlC(t *testing.T) {
	for _, presses := range []int{1, 2} {
		dir := workDir(t)
		s := startOnScreen(t, dir, 80, "train", "--config", "tiny.yaml", "--set", "data.limit=300",
			"--epochs", "50")
		s.await(t, "stage 1: epoch ")
		s.Write([]byte{3})
		s.await(t, "recap: finishing epoch ")
		if presses == 2 {
			s.Write([]byte{3})
		}
		code := s.wait()
		text := strings.Join(strings.Fields(s.written()), " ")
		want := "interrupted; continue with: recap train --resume runs/synthetic/recap/full"
		if presses == 2 {
			want = "stopped; continue with: recap train --resume runs/synthetic/recap/full"
		}
		if code != 130 || !strings.Contains(text, want) ||
			!strings.Contains(text, "press Ctrl-C again to stop now: ") {
			t.Errorf("%d times: exit %d\n%s", presses, code, s.written())
		}
		if left := locks(t, dir); left != nil {
			t.Errorf("%d times: left: %v", presses, left)
		}
	}
}

// TestTablesOnTerminals checks that no line of a table is wider than the terminal.
func TestTablesOnTerminals(t *testing.T) {
	dir := workDir(t)
	for _, line := range []string{"ablate --config tiny.yaml --variants full,no-fid -s 1,2",
		"sweep --config tiny.yaml --variants full,no-fid -s 1,2",
		"tune --config tiny.yaml -n 1", "table", "table --by rate --metric MAE",
		"table --compare full,no-fid", "gradcheck Add", "gradcheck -m self-mm", "doctor"} {
		for _, columns := range []int{60, 80} {
			s := startOnScreen(t, dir, uint16(columns), strings.Fields(line)...)
			if code := s.wait(); code != 0 {
				t.Errorf("%s: exit %d", line, code)
			}
			text, _, _ := strings.Cut(s.written(), "\nrecap train ") // tune's, to be copied
			checkWidth(t, text, columns)
			if !strings.Contains(text, "┌") && line != "doctor" {
				t.Errorf("%s: no table:\n%s", line, s.written())
			}
		}
	}
}

// TestErrorsOnTerminals checks that errors are wrapped between words on a terminal, and are one
// line in a pipe.
func TestErrorsOnTerminals(t *testing.T) {
	dir := workDir(t)
	for _, line := range []string{"train --set data.labels=3 --set train.nothing=2", "table",
		"train --epoch", "gradcheck Nothing"} {
		args := strings.Fields(line)
		cmd, stderr := process(t, dir, args...)
		cmd.Run()
		want := stderr.String()
		for _, columns := range []int{40, 60, 80} {
			s := startOnScreen(t, dir, uint16(columns), args...)
			if code := s.wait(); code == 0 {
				t.Errorf("%s: no error", line)
			}
			if strings.Join(strings.Fields(s.written()), " ") !=
				strings.Join(strings.Fields(want), " ") || strings.Count(want, "\n") > 2 {
				t.Errorf("%s: in a pipe\n%s\non a terminal\n%s", line, want, s.written())
			}
			checkWidth(t, s.written(), columns)
		}
	}
}

// TestCtrlCOfSweep presses Ctrl-C during a sweep.
func TestCtrlCOfSweep(t *testing.T) {
	for _, presses := range []int{1, 2} {
		s := startOnScreen(t, workDir(t), 60, "sweep", "--config", "tiny.yaml", "-s", "1,2,3",
			"--set", "data.limit=200", "--epochs", "50", "--workers", "2")
		s.await(t, "0 of 3 units done; full/seed")
		s.Write([]byte{3})
		s.await(t, "press Ctrl-C again")
		if presses == 2 {
			s.Write([]byte{3})
		}
		code := s.wait()
		text := strings.Join(strings.Fields(s.written()), " ")
		if code != 130 || !strings.Contains(text, "recap: finishing the epochs of ") ||
			!strings.Contains(text, "continue with: recap sweep --config tiny.yaml -s 1,2,3") {
			t.Errorf("%d times: exit %d\n%s", presses, code, s.written())
		}
	}
}
