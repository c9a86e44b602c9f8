-- Which order an event speaks of, as the stream understands it (`order_id` of pipeline/domain/shelves.py): what it says
-- as order_id, else as `order` of its details.

ALTER TABLE orders_told MODIFY QUERY
WITH if(properties['order_id'] = '', details['order'], properties['order_id']) AS order_id
SELECT
    occurred_day, identifier, source, event_id, session_id, occurred_at, received_at,
    transform(type, ['order_placed', 'order_returned', 'order_cancelled'], ['order', 'return', 'cancellation'], '') AS kind,
    if(order_id = '', 0, cityHash64(order_id)) AS order_number,
    multiIf(
        mapContains(measures, 'amount'), toNullable(measures['amount']),
        notEmpty(items) AND NOT arrayExists(item -> item.price IS NULL, items),
        round(arraySum(item -> item.quantity * assumeNotNull(item.price), items), 4),
        NULL
    ) AS said,
    properties['currency'] AS currency, consent, public, version
FROM interactions
WHERE type IN ('order_placed', 'order_returned', 'order_cancelled');

-- Those that were copied without it. Of two copies of one version, the one that came last stays.
INSERT INTO orders
SELECT o.* REPLACE (cityHash64(i.named) AS order_number)
FROM orders AS o FINAL
INNER JOIN
(
    SELECT occurred_day, identifier, source, event_id, details['order'] AS named
    FROM interactions FINAL
    WHERE type IN ('order_placed', 'order_returned', 'order_cancelled') AND details['order'] != ''
) AS i USING (occurred_day, identifier, source, event_id)
WHERE o.order_number = 0;
