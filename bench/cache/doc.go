// Package cachebench plays readers against timeline and cache together and counts what Graph is asked: paging forward,
// many readers of one week, a refresh of today, and a scan over everything beside readers who come back.
package cachebench
