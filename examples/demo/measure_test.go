package main

import (
	"slices"
	"testing"
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

func TestPlainKey(t *testing.T) {
	for key, want := range map[string]string{`"order-1"`: "order-1", "order-1": "order-1",
		`{"$oid":"a"}`: `{"$oid":"a"}`} {
		if got := plainKey(key); got != want {
			t.Errorf("plainKey(%s) = %s, want %s", key, got, want)
		}
	}
}
