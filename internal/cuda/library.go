//go:build cuda && cgo && linux

package cuda

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"
)

// A library is one of the three libraries that are opened at run time.
type library struct {
	number  C.int
	what    string
	names   []string // file names; the first that can be opened is used
	missing string   // advice for the error if it is missing
}

var libraries = []library{
	{C.DRIVER, "NVIDIA's driver", []string{"libcuda.so.1"},
		"install the driver of the GPU, or, in a container, start it with access to the GPU"},
	{C.BLAS, "cuBLAS", []string{"libcublas.so.13", "libcublas.so.12", "libcublas.so.11"}, install},
	{C.COMPILER, "NVRTC", []string{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"},
		install},
}

const install = "install CUDA 11.4 or newer, or the Python packages nvidia-cublas and " +
	"nvidia-cuda-nvrtc, and name the folders of their " +
	"libraries in RECAP_CUDA, separated by colons"

// folders returns the folders to search: those in RECAP_CUDA, then "" for the system's own search,
// then the default folders of CUDA and of its Python packages.
func folders() []string {
	list := append(filepath.SplitList(os.Getenv("RECAP_CUDA")), "")
	add := func(root, pattern string) {
		found, _ := fs.Glob(os.DirFS(root), pattern) // the pattern is well formed
		for _, dir := range found {
			list = append(list, filepath.Join(root, dir))
		}
	}
	for _, pattern := range []string{"cuda/lib64", "cuda-*/lib64", "nvidia/lib64"} {
		add("/usr/local", pattern)
	}
	for _, root := range []string{os.Getenv("VIRTUAL_ENV"), "/usr/local", "/usr"} {
		if root != "" {
			add(root, "lib/python3*/site-packages/nvidia/*/lib")
			add(root, "lib/python3*/dist-packages/nvidia/*/lib")
		}
	}
	return list
}

// openLibraries opens all libraries and returns their paths. Later calls return the first result.
var openLibraries = sync.OnceValues(func() ([]string, error) {
	var paths []string
	for _, l := range libraries {
		path, err := l.open(folders())
		if err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
})

// open opens the library in the first folder that contains it, and looks up its functions.
func (l *library) open(folders []string) (path string, err error) {
	first := ""
	for _, folder := range folders {
		for _, name := range l.names {
			path := C.CString(filepath.Join(folder, name))
			failed := C.library_open(l.number, path)
			C.free(unsafe.Pointer(path))
			if failed == nil {
				if function := C.library_bind(l.number); function != nil {
					return "", fmt.Errorf(
						"cuda: %s: function %s is missing: expected CUDA 11.4 or newer",
						filepath.Join(folder, name), C.GoString(function),
					)
				}
				return filepath.Join(folder, name), nil
			}
			if text := C.GoString(failed); first == "" || !strings.Contains(text, "No such file") {
				first = text
			}
		}
	}
	return "", fmt.Errorf("cuda: %s (%s) was not found: %s; %s",
		l.what, strings.Join(l.names, ", "), first, l.missing)
}

// check converts a code of the driver or cuBLAS to an error, nil for success.
func check(what string, code C.int) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("cuda: %s: %s", what, C.GoString(C.driver_error(code)))
}
