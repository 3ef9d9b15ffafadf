package ebsonce

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

func during(serve func()) { During(context.Background(), serve) }

func TestRemembersWithinOneRequest(t *testing.T) {
	during(func() {
		if _, ok := Recall("key"); ok {
			t.Error("a new request remembers something")
		}
		Remember("key", []byte("open"))
		if value, ok := Recall("key"); !ok || string(value) != "open" {
			t.Errorf("recalled: %q", value)
		}
		done := make(chan bool)
		go func() {
			value, ok := Recall("key")
			done <- ok && string(value) == "open"
		}()
		if !<-done {
			t.Error("a goroutine of the request does not recall")
		}
	})
}

func TestForgetsWhenTheRequestEnds(t *testing.T) {
	var kept []byte
	asked, ended := make(chan struct{}), make(chan bool)
	during(func() {
		value := []byte("open")
		Remember("key", value)
		value[0] = 'x'
		kept = current().opened["key"]
		if string(kept) != "open" {
			t.Error("is not a copy")
		}
		go func() {
			<-asked
			Remember("key", []byte("late"))
			_, ok := Recall("key")
			ended <- ok
		}()
	})
	close(asked)
	if <-ended {
		t.Error("a goroutine that outlives its request still recalls")
	}
	if string(kept) != "\x00\x00\x00\x00" {
		t.Errorf("the key is still in memory: %q", kept)
	}
	if _, ok := Recall("key"); ok {
		t.Error("outside of a request something is recalled")
	}
	count := 0
	requests.Range(func(any, any) bool { count++; return true })
	if count != 0 {
		t.Errorf("%d requests are left", count)
	}
}

func TestForgetsAfterAPanic(t *testing.T) {
	func() {
		defer func() { _ = recover() }()
		during(func() {
			Remember("key", []byte("open"))
			panic("handler")
		})
	}()
	if _, ok := Recall("key"); ok {
		t.Error("recalled after a panic")
	}
}

func TestRequestsDoNotShare(t *testing.T) {
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			during(func() {
				own := fmt.Sprint(i)
				if value, ok := Recall("key"); ok {
					t.Errorf("%s recalls %s of another", own, value)
				}
				Remember("key", []byte(own))
				var inner sync.WaitGroup
				for range 3 {
					inner.Go(func() {
						if value, _ := Recall("key"); string(value) != own {
							t.Errorf("%s recalls %q", own, value)
						}
					})
				}
				inner.Wait()
			})
		})
	}
	all.Wait()
}

func TestRemembersNoMoreThanARequestNeeds(t *testing.T) {
	during(func() {
		for i := range 100 {
			Remember(fmt.Sprint(i), []byte("open"))
		}
		if _, ok := Recall("0"); !ok {
			t.Error("the first one is forgotten")
		}
		if count := len(current().opened); count != most {
			t.Errorf("remembers %d", count)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	for b.Loop() {
		during(func() {})
	}
}
