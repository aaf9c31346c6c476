package postgres

import (
	"github.com/jackc/pgx/v5"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// collectPage reads rows up to the size of a page, [application.PageBytes], but at least
// two. The server sends the others as well; they are dropped.
func collectPage[T any](rows pgx.Rows, read pgx.RowToFunc[T], client func(*T) *domain.Client) ([]T, error) {
	defer rows.Close()
	var page []T
	var budget application.Budget
	for rows.Next() {
		if budget.Spent() && len(page) > 1 {
			break
		}
		row, err := read(rows)
		if err != nil {
			return nil, err
		}
		page = append(page, row)
		budget.Take(client(&page[len(page)-1]))
	}
	rows.Close()
	return page, rows.Err()
}
