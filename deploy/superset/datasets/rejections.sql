-- Records that could not be used, and why; their bytes are not here.
SELECT
    rejected_at, day, if(startsWith(topic, 'interactions.'), substring(topic, 14), 'not said') AS channel, reason, detail, topic,
    partition, offset, bytes
FROM rejections
