package shop

import (
	"errors"
	"net/mail"
	"strings"
	"time"
)

// An Order is one purchase, as stored and as sent over HTTP. The client chooses its id, so an order can be sent twice
// safely.
type Order struct {
	ID       string    `bson:"_id" json:"id"`
	Customer string    `bson:"customer" json:"customer"`               // "Name <mail>"; "Name" if sold at the counter
	Buyer    *Buyer    `bson:"buyer,omitempty" json:"buyer,omitempty"` // 2.0-rc1 only
	SKU      string    `bson:"sku" json:"sku"`
	Quantity int32     `bson:"quantity" json:"quantity"`
	Total    float64   `bson:"total" json:"total"`
	PlacedAt time.Time `bson:"placedAt" json:"placedAt"`
}

// A Buyer is a customer in separate fields.
type Buyer struct {
	Name string `bson:"name" json:"name"`
	Mail string `bson:"mail,omitempty" json:"mail,omitempty"`
}

// Validate returns an error that says what is wrong with a client's order.
func (o Order) Validate() error {
	switch {
	case o.ID == "":
		return errors.New("the order has no id")
	case o.Customer == "":
		return errors.New("the order has no customer")
	case o.Quantity < 1:
		return errors.New("the quantity is less than one")
	}
	return nil
}

// SameAs reports whether both are the same purchase, whichever releases wrote them.
func (o Order) SameAs(p Order) bool {
	return o.ID == p.ID && o.Customer == p.Customer && o.SKU == p.SKU && o.Quantity == p.Quantity && o.Total == p.Total
}

// ParseBuyer splits a customer into fields. It fails if there is no mail address.
func ParseBuyer(customer string) (Buyer, error) {
	address, err := mail.ParseAddress(customer)
	if err != nil {
		return Buyer{}, err
	}
	return Buyer{Name: address.Name, Mail: address.Address}, nil
}

// buyerOf splits any customer into fields. Without a mail address only the name is set.
func buyerOf(customer string) Buyer {
	buyer, err := ParseBuyer(customer)
	if err != nil {
		return Buyer{Name: strings.TrimSpace(customer)}
	}
	return buyer
}
