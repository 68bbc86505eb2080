// SPDX-License-Identifier: MIT

// The same work by Go's package os, when it is asked: see peers.h.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var content [100]byte

func need(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "go:", err)
		os.Exit(1)
	}
}

func create(directory string) *os.File {
	file, err := os.CreateTemp(directory, "tmp")
	need(err)
	return file
}

func write(file *os.File) {
	_, err := file.Write(content[:])
	need(err)
}

// Go has no file without a name.
func unnamed(directory string, count int) {
	for i := 0; i < count; i++ {
		file := create(directory)
		need(os.Remove(file.Name()))
		write(file)
		need(file.Close())
	}
}

func named(directory string, count int) {
	for i := 0; i < count; i++ {
		file := create(directory)
		write(file)
		need(file.Close())
		need(os.Remove(file.Name()))
	}
}

func directoryOfFew(directory string, count int) {
	for i := 0; i < count; i++ {
		path, err := os.MkdirTemp(directory, "tmp")
		need(err)
		for j := 0; j < 10; j++ {
			file, err := os.OpenFile(fmt.Sprintf("%s/file-%d", path, j), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0600)
			need(err)
			need(file.Close())
		}
		need(os.RemoveAll(path))
	}
}

func remove(directory string, count int) {
	for i := 0; i < count; i++ {
		need(os.RemoveAll(fmt.Sprintf("%s/tree-%d", directory, i)))
	}
}

var works = map[string]func(argument string, count int){
	"unnamed":   unnamed,
	"named":     named,
	"directory": directoryOfFew,
	"remove":    remove,
}

func processor() int64 {
	var usage syscall.Rusage
	need(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func answer(question string) {
	words := strings.Fields(question)
	count, err := strconv.Atoi(words[2])
	need(err)
	before, start := processor(), time.Now()
	works[words[0]](words[1], count)
	elapsed := time.Since(start).Nanoseconds()
	fmt.Println(float64(processor()-before)/float64(count), float64(elapsed)/float64(count))
}

func main() {
	for kind := range works {
		fmt.Print(" ", kind)
	}
	fmt.Println(" ")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer(lines.Text())
	}
}
