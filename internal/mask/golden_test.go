package mask_test

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/sluice-cd/sluice/internal/mask"
)

// Copies that were masked by different releases of Sluice must still join: the same value, rule and key always give the
// same mask. So these values must never change.
func TestMasksArePinned(t *testing.T) {
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	for name, test := range map[string]struct {
		got  any
		want string
	}{
		"hash":   {one.Text(mask.Hash, "Ada Lovelace"), "8de4e1ad7e0f87c5612c97138b819f00"},
		"email":  {one.Text(mask.Email, "ada@example.com"), "8c7c569010b0946281284747@masked.invalid"},
		"format": {one.Text(mask.Format, "+49 711 Zoë-42"), "+10 638 Zhh-10"},
		"long": {one.Text(mask.Format, "a text of more than forty letters and digits, up to 99"),
			"g agma rb egnz usmk syhhn syjaucj reo ompwyt, me ma 71"},
		"int":    {one.Int(-1815, 32), "-5570"},
		"whole":  {one.Whole(huge), "-671476069353762433427070014790"},
		"float":  {one.Float(12.5), "75.2"},
		"millis": {one.Millis(1_700_000_000_000), "1676732102821"},
		"bytes":  {fmt.Sprintf("%x", one.Bytes([]byte("0123456789"))), "11726be4e30847503b36"},
	} {
		if got := fmt.Sprint(test.got); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
