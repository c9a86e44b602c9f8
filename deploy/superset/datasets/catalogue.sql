-- The touchpoints of the catalogue, a row for each channel that they are met in: what the filters of dashboards offer.
SELECT name AS touchpoint_name, owner, arrayJoin(channels) AS channel
FROM touchpoints
