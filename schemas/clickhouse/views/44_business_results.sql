-- What customers brought and cost. An order, a return or a cancellation is a result by itself, under its event's name; all
-- others come as outcomes. Each name, (source, outcome_id), counts once: as the event, where a source sent one, else as the
-- outcome; what came with a public key comes last, and is none of somebody known by name (pipeline/domain/consent.py).
-- An order is one row for a person and an order_id, whoever tells it and however often: as it was told last (with an amount,
-- if any says one; with a public key only if nothing else does), at the moment of which it was told first. What goes back
-- without an amount takes back what is left of its order, in the order's currency: the first of them all of it, the others
-- nothing. Whose each is, as in interactions_attributed, and without what must not be analysed.
CREATE OR REPLACE VIEW business_results AS
SELECT
    person,
    outcome_id,
    source,
    kind,
    if(kind = 'order', ordered_at, said_at) AS occurred_at,
    multiIf(
        NOT goes_back, said,
        said IS NOT NULL, -abs(said),
        NOT ordered.2, NULL,
        moment = first_silent, 0 - greatest(round(ordered.4 - gone_back, 4), 0),
        0
    ) AS amount,
    multiIf(amount IS NULL, '', said IS NULL OR currency_said = '', ordered.5, currency_said) AS currency,
    identifier
FROM
(
    SELECT
        *,
        kind IN ('return', 'cancellation') AS goes_back,
        (said_at, source, outcome_id) AS moment,
        -- What tells of an order, the best of it the greatest; then the amount (number 4) and its currency (5).
        (NOT public, said IS NOT NULL, moment, ifNull(said, 0), currency_said) AS told,
        maxIf(told, kind = 'order') OVER same_order AS ordered,
        minIf(said_at, kind = 'order') OVER same_order AS ordered_at,
        sumIf(ifNull(abs(said), 0), goes_back) OVER same_order AS gone_back,
        minIf(moment, goes_back AND said IS NULL) OVER same_order AS first_silent
    FROM
    (
        SELECT r.* EXCEPT (occurred_at), r.occurred_at AS said_at
        FROM
        (
            SELECT
                i.*,
${person}
            FROM
            (
                SELECT
                    identifier, source, event_id AS outcome_id, session_id, occurred_at, received_at, kind, said, currency AS currency_said,
                    -- Without a number it is an order of its own.
                    if(order_number = 0, sipHash64(source, event_id), order_number) AS order_number, public, if(public, 2, 0) AS place
                FROM orders FINAL
                WHERE NOT mapContains(consent, 'analysis') OR consent['analysis']
                UNION ALL
                SELECT
                    identifier, source, outcome_id, session_id, occurred_at, received_at, kind, amount, currency,
                    sipHash64(source, outcome_id), false, 1
                FROM outcomes FINAL
                WHERE (source, outcome_id) NOT IN (SELECT source, event_id FROM orders WHERE NOT public)
            ) AS i
${assignments}
        ) AS r
        LEFT ANTI JOIN analysis_refused_parts AS refused ON refused.who = r.person AND (refused.browser = '' OR refused.browser = r.identifier)
        WHERE NOT r.public OR startsWith(r.person, 'anonymous:') OR startsWith(r.person, 'device:')
        ORDER BY r.place, r.received_at, r.identifier
        LIMIT 1 BY r.source, r.outcome_id
    )
    WINDOW same_order AS (PARTITION BY person, order_number)
)
WHERE kind != 'order' OR told = ordered
SETTINGS join_use_nulls = 0
COMMENT 'What each customer brought the business and cost it: orders, returns, cancellations, renewals, refunds, churn, costs.';

ALTER TABLE business_results
    COMMENT COLUMN person 'whose it is, as far as is known now',
    COMMENT COLUMN outcome_id 'its id at the source; of an order (as it was told last), a return or a cancellation its event_id',
    COMMENT COLUMN source 'system that says it; (source, outcome_id) names it',
    COMMENT COLUMN kind 'order, return, cancellation; renewal, refund, churn, cost',
    COMMENT COLUMN occurred_at 'when it happened; of an order when it was told first',
    COMMENT COLUMN amount 'what it brought (+) or cost (-) the business; null: not said',
    COMMENT COLUMN currency 'of the amount, as the source said it (ISO 4217); empty: not said',
    COMMENT COLUMN identifier 'under which it is stored; phone and e-mail in their keyed form';
