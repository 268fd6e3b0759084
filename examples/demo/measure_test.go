package main

import (
	"slices"
	"testing"
	"time"
)

func TestRepeatedEffects(t *testing.T) {
	b := book{
		"staging Job/migrate-1 shop-migrate:2.3":         2, // once too often
		"production Deployment/shop shop:2.3":            2,
		"production Deployment/shop-canary shop:2.3":     3, // once too often
		"staging StatefulSet/mongo ferretdb:1.24.2":      1,
		"production StatefulSet/mongo ferretdb:1.24.2":   1,
		"production Job/data-migration shop-migrate:2.3": 1,
	}
	want := []string{"a pod of production Deployment/shop-canary shop:2.3",
		"a pod of staging Job/migrate-1 shop-migrate:2.3"}
	if got := b.repeated(); !slices.Equal(got, want) {
		t.Errorf("repeated %q, want %q", got, want)
	}
}

func TestOrders(t *testing.T) {
	a := orders{"1": {1}, "2": {2}, "3": {3}}
	b := orders{"1": {1}, "3": {9}, "4": {4}}
	if got := a.without(b); !slices.Equal(got, []string{"2"}) {
		t.Errorf("lost %q", got)
	}
	if got := a.kept(b); got != 1 {
		t.Errorf("%d kept unchanged, want 1", got)
	}
	if got := b.countOf(map[string]time.Time{"4": {}, "5": {}}); got != 1 {
		t.Errorf("%d promised are there, want 1", got)
	}
}

func TestPlainKey(t *testing.T) {
	for key, want := range map[string]string{`"order-1"`: "order-1", "order-1": "order-1",
		`{"$oid":"a"}`: `{"$oid":"a"}`} {
		if got := plainKey(key); got != want {
			t.Errorf("plainKey(%s) = %s, want %s", key, got, want)
		}
	}
}
