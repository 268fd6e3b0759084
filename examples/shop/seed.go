package shop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Seed writes the orders of the shop's first year, the same every time. It returns how many were placed at the counter,
// without a mail address.
func Seed(ctx context.Context, b *Book, orders int) (int, error) {
	random := rand.New(rand.NewPCG(2024, 6))
	opening := time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)
	counter := 0
	for start := 0; start < orders; start += batchSize {
		batch := make([]any, 0, batchSize)
		for i := start; i < min(start+batchSize, orders); i++ {
			o := Invent(random, fmt.Sprintf("order-%05d", i))
			o.PlacedAt = opening.Add(time.Duration(i) * 25 * time.Minute)
			if i%631 == 17 {
				o.Customer = "Walk-in customer"
				counter++
			}
			batch = append(batch, o)
		}
		if _, err := b.Orders.InsertMany(ctx, batch); err != nil {
			return counter, err
		}
	}
	return counter, nil
}

var (
	givenNames = []string{"Ada", "Barbara", "Claude", "Donald", "Edsger", "Frances", "Grace", "Hedy", "Ivan", "John",
		"Katherine", "Leslie", "Margaret", "Niklaus", "Radia", "Tim"}
	familyNames = []string{"Allen", "Borg", "Codd", "Dahl", "Engelbart", "Floyd", "Gray", "Hopper", "Iverson", "Jones",
		"Knuth", "Liskov", "Milner", "Naur", "Perlis", "Ritchie", "Scott", "Turing", "Ullman", "Wirth"}
	articles = []string{"kettle", "teapot", "cup", "saucer", "spoon", "strainer", "tray", "tin"}
)

// Invent returns a random order.
func Invent(random *rand.Rand, id string) Order {
	given := givenNames[random.IntN(len(givenNames))]
	family := familyNames[random.IntN(len(familyNames))]
	article := random.IntN(len(articles))
	quantity := int32(1 + random.IntN(3))
	return Order{
		ID:       id,
		Customer: fmt.Sprintf("%s %s <%s.%s@mail.example>", given, family, given, family),
		SKU:      articles[article],
		Quantity: quantity,
		Total:    float64(quantity) * (4.5 + 3*float64(article)),
	}
}
