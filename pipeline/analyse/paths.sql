-- How people really go: one statement, one scan, everything counted here. `paths_sql.py` says what it means and puts in the
-- numbers of the facts; all else are parameters, which `paths_plan.py` makes of the catalogue.
WITH
-- Per person (a hash: no id leaves the statement) all that they met in the order of time, as tuples: 1 when, 2 touchpoint,
-- 3 channel (0: shop or courier did it, so it is a step and no choice of theirs), 4 whether it was a contact, 5 issue,
-- 6 seconds with somebody (-1: not said). A pause earlier than the period.
people AS
(
    SELECT sipHash64(person) AS who, arraySort(groupArray((at, place, via, asked, matter, handle_s))) AS met
    FROM
    (
        SELECT
            person,
            toUnixTimestamp64Milli(occurred_at) AS at,
            toUInt16(transform(touchpoint, {touchpoints:Array(String)}, {touchpoint_numbers:Array(UInt16)}, 0)) AS place,
            if(details['direction'] = 'outbound' OR type IN {done_to_them:Array(String)}, 0,
                toUInt8(transform(channel, {channels:Array(String)}, {channel_numbers:Array(UInt8)}, 0))) AS via,
            contact = 'contact' AS asked,
            toUInt16(transform(issue, {issues:Array(String)}, {issue_numbers:Array(UInt16)}, {issue_other:UInt16})) AS matter,
            if(asked AND mapContains(measures, 'handle_s'), measures['handle_s'], NULL) AS measured_s,
            if(asked, toFloat64OrNull(details['handle_s']), NULL) AS detailed_s,
            toFloat32(coalesce(measured_s, detailed_s, -1)) AS handle_s
        FROM interactions_by_person
        WHERE occurred_at >= fromUnixTimestamp64Milli({since:Int64} - {pause:Int64})
          AND occurred_at < fromUnixTimestamp64Milli({until:Int64})
          AND type NOT IN {said:Array(String)}
          AND (answer_question = '' OR (touchpoint, channel) IN {met_in:Array(Tuple(String, String))})
    )
    GROUP BY who
),
-- A row for each journey with what they did there, and one (0) for all that is of no journey.
on_journeys AS
(
    SELECT
        journey,
        arrayFilter(x -> x.1 >= {since:Int64}, if(journey = 0, met, [])) AS everything,
        arrayFilter(x -> {local:Array(UInt8)}[journey * {touchpoints_n:UInt32} + x.2] > 0, if(journey = 0, [], met)) AS visits
    FROM people
    ARRAY JOIN {journeys:Array(UInt16)} AS journey
),
-- The first run through a journey that began in the period: until a pause, and for as long as each is followed. By when it
-- began alone is decided whether it counts: a choice by its end, or by what is known of it, prefers who was quick, or came to
-- the end. So everybody has had the same time, and nobody's outcome is open.
runs AS
(
    SELECT
        journey,
        everything,
        arrayMap((gap, n) -> n = 1 OR gap > {pause:Int64}, arrayDifference(visits.1), arrayEnumerate(visits)) AS begins,
        arrayFirstIndex((x, begin) -> begin AND x.1 >= {since:Int64}, visits, begins) AS first,
        visits.1[first] AS began,
        arrayFirstIndex((x, begin, n) -> n > first AND (begin OR x.1 >= began + {within:Int64}),
            visits, begins, arrayEnumerate(visits)) AS next,
        if(first = 0, [], arraySlice(visits, first, if(next = 0, length(visits) + 1, next) - first)) AS run,
        began + {within:Int64} > {until:Int64} AS late
    FROM on_journeys
),
-- Its steps. Who stays at a touchpoint is there once; `following` says to which steps a kind of touchpoint leads from a step.
steps AS
(
    SELECT
        journey,
        everything,
        run,
        late,
        arrayDifference(run.1) AS apart,
        arrayMap(x -> {local:Array(UInt8)}[journey * {touchpoints_n:UInt32} + x.2], run) AS kinds,
        arrayFilter((x, place, before) -> place != before OR x.2,
            arrayZip(kinds, arrayMap(gap -> gap > {stay:Int64}, apart)), run.2, arrayPopBack(arrayPushFront(run.2, 0))) AS stays,
        arraySlice(arrayFold(
            (went, x) -> arrayConcat(went, {following:Array(Array(UInt8))}[
                {bases:Array(UInt32)}[journey] + (went[-1] * {kinds_n:UInt32} + x.1 - 1) * 2 + x.2]),
            stays, [toUInt8(0)]), 2) AS taken,
        arrayCompact(taken) AS path,
        arrayPopBack(arrayPushFront(path, 0)) AS whence,
        has({ends:Array(Tuple(UInt16, UInt8))}, (journey, path[-1])) AS completed,
        arrayAll((a, b) -> has({edges:Array(Tuple(UInt16, UInt8, UInt8))}, (journey, a, b)), whence, path) AS kept
    FROM runs
),
-- Who changes the channel within the window has switched; the first contact in the new channel is what it was about, if it
-- came soon too: somebody may be there for long before.
switches AS
(
    SELECT
        *,
        arrayFilter(x -> x.3 > 0, everything) AS own,
        arraySplit((x, gap, before) -> x.3 != before OR gap > {window:Int64},
            own, arrayDifference(own.1), arrayPopBack(arrayPushFront(own.3, 0))) AS stretches,
        arrayFilter(x -> x.2[1].3 != x.1[-1].3 AND x.2[1].1 - x.1[-1].1 <= {window:Int64},
            arrayZip(arrayPopBack(stretches), arrayPopFront(stretches))) AS switched,
        arrayFilter(x -> x.2[1].1 - x.1[-1].1 <= {soon:Int64}, switched) AS soon,
        arrayFilter(x -> x.2.4 = 1 AND x.2.1 - x.1.1 <= {soon:Int64}, arrayMap(x -> (x.1[-1], arrayFirst(y -> y.4 = 1, x.2)), soon)) AS contacts
    FROM steps
),
-- Touchpoints one after another without a pause.
windows AS
(
    SELECT
        *,
        arrayFilter(x -> x.2 > 0, everything) AS known,
        arrayMap(way -> arrayCompact(way),
            arraySplit((place, gap) -> gap > {window:Int64}, known.2, arrayDifference(known.1))) AS ways
    FROM switches
),
-- Each fact: its key, whether seconds with somebody are known, these seconds.
facts AS
(
    SELECT
        CAST(arrayMap(key -> (key, 0, -1), multiIf(
            empty(run), [],
            late, [[$LATE, journey]],
            arrayConcat(
                [
                    arrayConcat([$PATH, journey], arraySlice(path, 1, $PATH_STEPS_MAX), if(length(path) > $PATH_STEPS_MAX, [$GOES_ON], [])),
                    [$ENDED, journey, path[-1]],
                    [$FITS, journey, kept, completed]
                ],
                if(completed, [[$TIME, journey, toUInt16(round($BUCKETS_A_DOUBLING * log2(1 + (run[-1].1 - run[1].1) / 1000)))]], []),
                arrayMap(x -> [$AT, journey, x], arrayDistinct(path)),
                arrayMap(x -> [$AGAIN, journey, x], arrayFilter(x -> countEqual(taken, x) > 1, arrayDistinct(path))),
                arrayMap((a, b) -> [$MOVE, journey, a, b], whence, path)
            )
        )), 'Array(Tuple(Array(UInt16), UInt8, Float64))') AS of_journeys,
        CAST(arrayConcat(
            if(empty(everything), [], [([$PEOPLE], 0, -1)]),
            arrayMap(way -> (
                arrayConcat([$WINDOW], arraySlice(way, 1, $WINDOW_STEPS_MAX), if(length(way) > $WINDOW_STEPS_MAX, [$GOES_ON], [])), 0, -1
            ), arrayFilter(way -> length(way) > 1, ways)),
            arrayMap(x -> ([$SWITCH, x.1[-1].3, x.2[1].3], 0, -1), switched),
            arrayMap(x -> (
                [$SWITCH_TIME, x.1[-1].3, x.2[1].3, toUInt16(round($BUCKETS_A_DOUBLING * log2(1 + (x.2[1].1 - x.1[-1].1) / 1000)))], 0, -1
            ), switched),
            arrayMap(x -> ([$SOON, x.1[-1].3, x.2[1].3], 0, -1), soon),
            arrayMap(x -> ([$CONTACT, x.1.2, x.1.3, x.2.3, x.2.5], x.2.6 >= 0, x.2.6), contacts)
        ), 'Array(Tuple(Array(UInt16), UInt8, Float64))') AS of_channels,
        arrayConcat(of_journeys, of_channels) AS found,
        arrayMap(x -> sipHash64(x.1), found) AS hashes
    FROM windows
)
-- `nth`: the how manyth of its kind it is of the person (on a journey there is one run, so one row is one person).
SELECT any(fact.1) AS key, countIf(nth = 1) AS people, count() AS times, sum(fact.2) AS handled, sumIf(fact.3, fact.2 = 1) AS handle_s
FROM facts
ARRAY JOIN found AS fact, hashes AS hash, arrayEnumerateUniq(hashes) AS nth
GROUP BY hash
HAVING people >= {few:UInt32} OR key[1] IN {put_together:Array(UInt16)}
