// Package admission bounds what callers hold before a call runs: the connections and requests of callers who are not
// authenticated yet, and how often an authenticated caller may begin a call.
package admission
