CREATE OR REPLACE VIEW touchpoints AS
${touchpoints_known}
COMMENT 'The touchpoints of the catalogue as it was loaded last.';

ALTER TABLE touchpoints
    COMMENT COLUMN touchpoint 'its id',
    COMMENT COLUMN name 'for people',
    COMMENT COLUMN channels 'in which it is met',
    COMMENT COLUMN layer 'evidence, customer, frontstage, backstage, support',
    COMMENT COLUMN visible 'whether the customer notices it',
    COMMENT COLUMN control 'ours, or partner',
    COMMENT COLUMN partner 'who runs it, where it is not ours',
    COMMENT COLUMN owner 'who can do something about it',
    COMMENT COLUMN deputy 'who is told when the owner does nothing',
    COMMENT COLUMN unit 'of the organisation',
    COMMENT COLUMN promise 'what we promise',
    COMMENT COLUMN expects 'measure of which the customer expects something; empty: nothing is said',
    COMMENT COLUMN target 'what that measure should reach',
    COMMENT COLUMN lower_better 'whether less of that measure is better',
    COMMENT COLUMN measure 'what the dot is made of: score, or a measure of observations; empty: there is no dot',
    COMMENT COLUMN green 'from there on the dot is green',
    COMMENT COLUMN yellow 'from there on the dot is yellow; beyond it red',
    COMMENT COLUMN hours 'of how long the dot is made',
    COMMENT COLUMN n_min 'with less evidence the dot is grey',
    COMMENT COLUMN when_red 'what to do';
