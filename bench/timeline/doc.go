// Package timelinebench measures the timeline against a month of a busy user: time and requests against reading one page
// after another, and memory of long streams and slow readers. `make bench` prints the figures beside what they must be.
package timelinebench
