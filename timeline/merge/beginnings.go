package merge

import "time"

// Walks without a start time begin at the epoch, for history that was imported can be old: with one window up to the current
// year. Where Graph does not accept that or the window holds too much, it is cut at the millennium and where the source's own
// rows begin: Teams became available in March 2017, the Copilot history in 2023. All of them lie a second into their year:
// windows are asked a second wider, and a Graph that accepts nothing before a year must not be asked for its eve.
var (
	epoch            = time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC)
	millennium       = time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)
	chatBeginning    = time.Date(2017, 1, 1, 0, 0, 1, 0, time.UTC)
	copilotBeginning = time.Date(2023, 1, 1, 0, 0, 1, 0, time.UTC)
)
