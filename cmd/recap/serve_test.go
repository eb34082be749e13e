package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestServe starts the command before there is a run, trains one, and ends it as the user does.
func TestServe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals")
	}
	dir := workDir(t)
	cmd, stderr := process(t, dir, "serve", ".", "--addr", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err, stderr)
	}
	url = strings.TrimSpace(url)
	if page := fetch(t, url); !strings.Contains(page, "Runs in ") {
		t.Errorf("the page at %s:\n%.300s", url, page)
	}
	train, said := process(t, dir, "train", "--config", "tiny.yaml")
	if err := train.Run(); err != nil {
		t.Fatal(err, said)
	}
	time.Sleep(1100 * time.Millisecond) // the server looks for runs once a second
	if page := fetch(t, url+"runs/runs/synthetic/recap/full/"); !strings.Contains(page,
		"RECAP on synthetic") || !strings.Contains(page, "id=\"explorer\"") {
		t.Errorf("the page of the run:\n%.300s", page)
	}
	events, err := http.Get(url + "runs/runs/synthetic/recap/full/events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	time.AfterFunc(300*time.Millisecond, func() { cmd.Process.Signal(os.Interrupt) })
	// until the server ends
	if text, err := io.ReadAll(events.Body); strings.Count(string(text), "event: epoch") != 4 {
		t.Errorf("events:\n%s\n%v", text, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted: %v\n%s", err, stderr)
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status, err)
	}
	return string(text)
}
