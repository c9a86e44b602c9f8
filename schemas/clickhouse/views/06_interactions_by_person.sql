-- The person of each interaction, as it is known at the moment of the query, without what must not be analysed: neither
-- an interaction that says so itself, nor anything of a person, or of a browser of theirs, who says so.
CREATE OR REPLACE VIEW interactions_by_person AS
SELECT a.*
FROM interactions_attributed AS a
LEFT ANTI JOIN analysis_refused_parts AS refused ON refused.who = a.person AND (refused.browser = '' OR refused.browser = a.identifier)
WHERE NOT mapContains(a.consent, 'analysis') OR a.consent['analysis']
COMMENT 'Interactions with their person. Bound it by occurred_day or occurred_at; for one person use person_timeline.';

ALTER TABLE interactions_by_person
    COMMENT COLUMN occurred_day 'day (UTC) of occurred_at_sent, which is the same in every copy; kept within 1990 to 2105',
    COMMENT COLUMN identifier 'the strongest one of the event; phone and e-mail in their keyed form',
    COMMENT COLUMN source 'system that sent the event; (source, event_id) names it',
    COMMENT COLUMN event_id 'its id there',
    COMMENT COLUMN channel 'web, mobile, phone, in_store, chat, message, partner',
    COMMENT COLUMN type 'what happened: searched, call_ended, order_placed, …',
    COMMENT COLUMN touchpoint 'where: site search, checkout, call queue, …',
    COMMENT COLUMN occurred_at 'when it happened, corrected by the clock of the source',
    COMMENT COLUMN occurred_at_sent 'when it happened, as the source said it',
    COMMENT COLUMN received_at 'when the copy that counts (the earliest) was received',
    COMMENT COLUMN session_id 'visit, call or chat; empty: none',
    COMMENT COLUMN goal 'what the person wanted to reach; empty: not said',
    COMMENT COLUMN issue 'what a contact or complaint is about; empty: not said',
    COMMENT COLUMN about 'event_id that a survey, complaint or note speaks of; empty: none',
    COMMENT COLUMN links 'the weaker identifiers of the event, strongest first',
    COMMENT COLUMN masks 'identifier → what people may see of it (phone and e-mail)',
    COMMENT COLUMN items 'lines of a cart or an order; price of one piece, null: not said',
    COMMENT COLUMN answer_question 'survey question; empty: no answer in this event',
    COMMENT COLUMN answer_value 'the answer, between answer_min and answer_max; null: no answer',
    COMMENT COLUMN answer_min 'lowest possible answer',
    COMMENT COLUMN answer_max 'highest possible answer',
    COMMENT COLUMN measures 'name → number, in the unit that the name says',
    COMMENT COLUMN properties 'name → text; of profile_updated the names only',
    COMMENT COLUMN details 'the own fields of the channel, as text',
    COMMENT COLUMN consent 'purpose → given or not',
    COMMENT COLUMN effectiveness 'did they reach their goal: 0 to 100, higher is better; null: not seen',
    COMMENT COLUMN ease 'how little effort did it take: 0 to 100; null: not seen',
    COMMENT COLUMN emotion 'how did it feel: 0 to 100; null: not seen',
    COMMENT COLUMN evidence_kind 'asked, observed, or empty where there is no evidence',
    COMMENT COLUMN definition 'version of the scores that judged it; -1: it refuses analysis, and no cell counts it',
    COMMENT COLUMN expected_gap 'how much worse than expected, in the unit of the measure; negative: better; null: nothing expected or seen',
    COMMENT COLUMN contact 'contact: somebody contacted us; self_service: they looked for help themselves; empty: neither',
    COMMENT COLUMN resolved 'what the contact itself claims; null: nothing. Whether it held: contacts_resolved',
    COMMENT COLUMN severe 'so bad that this one alone puts the person at risk',
    COMMENT COLUMN queue_outcome 'of who waited in a queue: answered, abandoned; empty: they were not offered',
    COMMENT COLUMN public 'came with a public key (a browser''s), so anybody may have sent it',
    COMMENT COLUMN version 'of the stored row',
    COMMENT COLUMN person 'whose it is, as far as is known now',
    COMMENT COLUMN ambiguous 'several persons may stand behind the identifier';
