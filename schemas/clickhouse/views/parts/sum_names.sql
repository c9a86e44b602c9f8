-- The names of the sums.
        interactions, effectiveness_asked_n, effectiveness_asked_sum, effectiveness_asked_sum2,
        effectiveness_observed_n, effectiveness_observed_sum, effectiveness_observed_sum2, ease_asked_n,
        ease_asked_sum, ease_asked_sum2, ease_observed_n, ease_observed_sum,
        ease_observed_sum2, emotion_asked_n, emotion_asked_sum, emotion_asked_sum2,
        emotion_observed_n, emotion_observed_sum, emotion_observed_sum2, nps_n,
        nps_promoters, nps_detractors, csat_n, csat_satisfied,
        csat_sum, ces_n, ces_sum, ces_easy,
        ces_very_easy, ces_hard, needs_met_n, needs_met_high,
        needs_met_low, question_ease_n, question_ease_high, question_ease_low,
        enjoyment_n, enjoyment_high, enjoyment_low, expected_n,
        expected_met, expected_gap_sum, expected_gap_sum2,
        csat_sum2, ces_sum2
