-- Records of the last 28 days that could not be used, and why; their bytes are not here.
SELECT rejected_at, day, reason, detail, topic, partition, offset, bytes
FROM rejections
WHERE rejected_at >= now() - INTERVAL 28 DAY
