-- What customers brought and cost. An order, a return or a cancellation is a result by itself, under its event's name; all
-- others come as outcomes. Each name, (source, outcome_id), counts once: as the event, where a source sent one, else as the
-- outcome; what came with a public key comes last, and is none of somebody known by name (pipeline/domain/consent.py).
-- A return or a cancellation that says no amount takes back all of its order, in the order's currency. Whose each is, as in
-- interactions_attributed, and without what must not be analysed.
CREATE OR REPLACE VIEW business_results AS
WITH ['order_placed', 'order_returned', 'order_cancelled'] AS types
SELECT
    person,
    outcome_id,
    source,
    kind,
    occurred_at,
    -- Its last digits are those of adding up prices.
    round(multiIf(
        NOT event, said,
        kind = 'order', said,
        -abs(ifNull(said, ordered))
    ), 6) AS amount,
    multiIf(amount IS NULL, '', currency_said = '' AND event, currency_ordered, currency_said) AS currency,
    identifier
FROM
(
    SELECT
        *,
        anyIf(said, event AND kind = 'order') OVER (PARTITION BY person, order_name) AS ordered,
        anyIf(currency_said, event AND kind = 'order') OVER (PARTITION BY person, order_name) AS currency_ordered
    FROM
    (
        SELECT
            a.person AS person,
            a.event_id AS outcome_id,
            a.source AS source,
            transform(a.type, types, ['order', 'return', 'cancellation'], '') AS kind,
            a.occurred_at AS occurred_at,
            a.received_at AS received_at,
            multiIf(
                mapContains(a.measures, 'amount'), toNullable(a.measures['amount']),
                notEmpty(a.items) AND NOT arrayExists(item -> item.price IS NULL, a.items),
                arraySum(item -> item.quantity * assumeNotNull(item.price), a.items),
                NULL
            ) AS said,
            a.properties['currency'] AS currency_said,
            -- Without an order's number it is an order of its own.
            if(a.properties['order_id'] = '', concat('\0', a.source, '\0', a.event_id), a.properties['order_id']) AS order_name,
            a.identifier AS identifier,
            true AS event,
            if(a.public, 2, 0) AS place
        FROM interactions_by_person AS a
        WHERE has(types, a.type) AND (NOT a.public OR startsWith(a.person, 'anonymous:') OR startsWith(a.person, 'device:'))
        UNION ALL
        SELECT
            o.person, o.outcome_id, o.source, o.kind, o.occurred_at, o.received_at, o.amount, o.currency,
            concat('\0', o.source, '\0', o.outcome_id), o.identifier, false, 1
        FROM
        (
            SELECT
                i.*,
${person}
            FROM (SELECT * FROM outcomes FINAL) AS i
${assignments}
        ) AS o
        LEFT ANTI JOIN analysis_refused_parts AS refused ON refused.who = o.person AND (refused.browser = '' OR refused.browser = o.identifier)
        WHERE (o.source, o.outcome_id) NOT IN (
            SELECT source, event_id FROM interactions
            WHERE has(types, type) AND NOT public AND (source, event_id) IN (SELECT source, outcome_id FROM outcomes)
        )
    )
    ORDER BY place, received_at, identifier
    LIMIT 1 BY source, outcome_id
)
SETTINGS join_use_nulls = 0
COMMENT 'What each customer brought the business and cost it: orders, returns, cancellations, renewals, refunds, churn, costs.';

ALTER TABLE business_results
    COMMENT COLUMN person 'whose it is, as far as is known now',
    COMMENT COLUMN outcome_id 'its id at the source; of an order, a return or a cancellation its event_id',
    COMMENT COLUMN source 'system that says it; (source, outcome_id) names it',
    COMMENT COLUMN kind 'order, return, cancellation; renewal, refund, churn, cost',
    COMMENT COLUMN occurred_at 'when it happened',
    COMMENT COLUMN amount 'what it brought (+) or cost (-) the business; null: not said',
    COMMENT COLUMN currency 'of the amount, as the source said it (ISO 4217); empty: not said',
    COMMENT COLUMN identifier 'under which it is stored; phone and e-mail in their keyed form';
