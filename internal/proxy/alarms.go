package proxy

import (
	"container/heap"
	"time"
)

// alarm is a time that somebody waits for.
type alarm struct {
	at    time.Time
	rung  chan struct{} // closed when it has come
	index int           // in the heap; -1: not in it any more
}

// alarms are those that are to come, the next one first.
type alarms struct{ list alarmHeap }

// add says whether the new one is the next.
func (a *alarms) add(x *alarm) bool {
	heap.Push(&a.list, x)
	return x.index == 0
}

func (a *alarms) remove(x *alarm) {
	if x.index >= 0 {
		heap.Remove(&a.list, x.index)
	}
}

func (a *alarms) next() (time.Time, bool) {
	if len(a.list) == 0 {
		return time.Time{}, false
	}
	return a.list[0].at, true
}

// due takes out those whose time has come.
func (a *alarms) due(now time.Time) (list []*alarm) {
	for len(a.list) > 0 && !a.list[0].at.After(now) {
		list = append(list, heap.Pop(&a.list).(*alarm))
	}
	return list
}

// all takes out every one.
func (a *alarms) all() (list []*alarm) {
	for len(a.list) > 0 {
		list = append(list, heap.Pop(&a.list).(*alarm))
	}
	return list
}

type alarmHeap []*alarm

// Len implements heap.Interface, as the others.
func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *alarmHeap) Push(x any) {
	a := x.(*alarm)
	a.index = len(*h)
	*h = append(*h, a)
}

// Pop implements heap.Interface.
func (h *alarmHeap) Pop() any {
	old := *h
	a := old[len(old)-1]
	*h = old[:len(old)-1]
	a.index = -1
	return a
}
