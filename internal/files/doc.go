// Package files reads regular files and replaces files so that they are complete after a crash.
//
//	open.go     opening regular files only
//	replace.go  writing under a temporary name, leftovers of killed processes
//	disk.go     what changes the disk
package files
