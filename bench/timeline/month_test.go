package timelinebench_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

const (
	pageRows = 50 // getAllMessages' page
	perMonth = 20000
	bodySize = 1200
)

// office is Graph with the messages of somebody who works in an office: nine tenths between 9 and 17 o'clock of working
// days. It keeps times only and makes each page anew, as an answer from the network is, in no order.
type office struct {
	times []int64 // Unix milliseconds, ascending
	delay time.Duration
	asked atomic.Int64
}

// month is where the messages begin, a Monday.
func month() time.Time { return time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC) }

// newOffice spreads rows over so many days.
func newOffice(rows, days int, delay time.Duration) *office {
	o := &office{delay: delay}
	working := 0
	for d := range days {
		if d%7 < 5 {
			working++
		}
	}
	busy := rows * 9 / 10
	add := func(n int, from time.Time, length time.Duration) {
		for i := range n {
			o.times = append(o.times, from.Add(length/time.Duration(n)*time.Duration(i)).UnixMilli())
		}
	}
	worked := 0
	for d := range days {
		day := month().AddDate(0, 0, d)
		if d%7 < 5 {
			worked++
			add(busy*worked/working-busy*(worked-1)/working, day.Add(9*time.Hour), 8*time.Hour)
		}
		quiet := rows - busy
		add(quiet*(d+1)/days-quiet*d/days, day, 24*time.Hour)
	}
	slices.Sort(o.times)
	return o
}

// Events implements source.EventReader.
func (o *office) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	o.asked.Add(1)
	if o.delay > 0 {
		select {
		case <-time.After(o.delay):
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	still.RLock()
	defer still.RUnlock()
	first, _ := slices.BinarySearch(o.times, q.Start.Add(-time.Second).UnixMilli())
	last, _ := slices.BinarySearch(o.times, q.End.Add(time.Second).UnixMilli())
	from := 0
	if link != "" {
		from, _ = strconv.Atoi(link[strings.LastIndexByte(link, '=')+1:])
	}
	n := last - first
	to := min(from+pageRows, n)
	page := &source.Page[source.Item]{Rows: to - from, Requests: 1, ReadAt: time.Now()}
	for i := from; i < to; i++ {
		page.Items = append(page.Items, o.item(first+scatter(i, n)))
	}
	if to < n {
		page.Next = fmt.Sprintf("https://graph.microsoft.com/v1.0/chats?s=%d&e=%d&skip=%d", q.Start.Unix(), q.End.Unix(), to)
	}
	return page, nil
}

// scatter maps 0…n-1 onto itself, neighbours far apart.
func scatter(i, n int) int {
	step := 7919 % n
	for step == 0 || gcd(step, n) != 1 {
		step++
	}
	return i * step % n
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (o *office) item(i int) source.Item {
	at := time.UnixMilli(o.times[i])
	key := strconv.Itoa(i)
	body := make([]byte, bodySize)
	for j := range body {
		body[j] = 'a' + byte(j%26)
	}
	binary.BigEndian.PutUint16(body, 0x2020)
	item, err := source.NewItem(&parleyv1.Event{
		Name: "users/u/events/chat," + key, Uid: "uid-" + key, Version: 1, Kind: parleyv1.EventKind_EVENT_KIND_MESSAGE,
		EventTime: timestamppb.New(at), CreateTime: timestamppb.New(at),
		Body:   &parleyv1.Body{Content: string(body)},
		Source: &parleyv1.EventSource{Source: parleyv1.Source_SOURCE_CHAT, Id: key},
	})
	if err != nil {
		panic(err) // the event is this file's own
	}
	item.Time, item.Key = at, key
	return item
}

// fewest is how many pages one chain over everything has.
func (o *office) fewest() int { return (len(o.times) + pageRows - 1) / pageRows }
