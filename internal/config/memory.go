package config

import (
	"fmt"
	"strconv"
)

// maxDefaultCache is the largest cache that nobody asked for.
const maxDefaultCache = 256 << 20

// CacheBytes is the size of the cache under a memory limit in bytes, 0 = none: the configured size, which must leave the
// gateway half of the limit, or a quarter of the limit.
func (s *Settings) CacheBytes(limit int64) (int64, error) {
	if s.CacheSize == "" {
		if limit <= 0 {
			return maxDefaultCache, nil
		}
		return min(maxDefaultCache, limit/4), nil
	}
	size, err := ParseSize(s.CacheSize)
	if err != nil {
		return 0, err
	}
	if limit > 0 && size > limit/2 {
		return 0, fmt.Errorf("%s is more than half of the memory limit of %s; use at most %s, or raise the limit (GOMEMLIMIT, the container's memory)",
			s.CacheSize, sizeText(limit), sizeText(limit/2))
	}
	return size, nil
}

// sizeText writes a number of bytes as ParseSize reads it, rounded down to whole MiB where it has some.
func sizeText(bytes int64) string {
	if bytes < 1<<20 {
		return strconv.FormatInt(bytes, 10)
	}
	return strconv.FormatInt(bytes>>20, 10) + "MiB"
}
